"""A planted key is told from a real one, with the values that published tools make, and nothing real is accused."""

from __future__ import annotations

import pytest
from audit_world import PLANTED, audit, codes, computer, device, devices, planted, subject, vector
from dsinternals.common.cryptography.RSAKeyMaterial import RSAKeyMaterial
from dsinternals.common.data.hello.KeyCredential import KeyCredential as PeerCredential
from dsinternals.system.DateTime import DateTime
from dsinternals.system.Guid import Guid
from tests.support.peers import shadow_credentials
from tests.support.world import cloud_user, dn, key, material, value

from keytrust.audit.model import Code, Severity
from keytrust.cloud.source import Unknown
from keytrust.credential import Dialect, KeyCredentialLink, KeySource, KeyUsage, RsaPublicKey, parse_material

ACCUSED = {
    Code.NOT_REGISTERED,
    Code.NO_CLOUD_USER,
    Code.TOOL_MARK,
    Code.KEY_ID_MISMATCH,
    Code.COMPUTER_USER_KEY,
    Code.SHARED_KEY,
    Code.OTHERS_DEVICE,
}


def by_dsinternals(name: str) -> bytes:
    public = parse_material(material(90)).public_key
    assert isinstance(public, RsaPublicKey)
    peer = PeerCredential(RSAKeyMaterial(public.n, public.e, 2048), Guid(), dn(name), DateTime())
    return peer.toDNWithBinary().toString().encode()


def by_impacket(name: str) -> bytes:
    private, _ = shadow_credentials.createSelfSignedX509Certificate(name)
    made = shadow_credentials.KeyCredential(private, shadow_credentials.getDeviceId(), shadow_credentials.getTicksNow())
    return shadow_credentials.toDNWithBinary2String(made.dumpBinary(), dn(name)).encode()


BUILDERS = {name: (lambda account, text=text: planted(text, account)) for name, text in PLANTED.items()}
BUILDERS |= {"dsinternals": by_dsinternals, "impacket": by_impacket}
BUILDERS |= {f"keytrust, {form}": (lambda account, form=form: value(account, 90, form)) for form in Dialect}


@pytest.mark.parametrize("tool", BUILDERS)
class TestPlanted:
    def test_a_planted_key_beside_a_registered_one_is_found(self, tool: str) -> None:
        values = [value("alice", 1), BUILDERS[tool]("alice")]
        found = audit((subject("alice"), values), cloud=[cloud_user("alice", (key(1),))])
        (finding,) = [f for f in found if f.code is Code.NOT_REGISTERED]
        assert finding.key_id == KeyCredentialLink.parse(values[1]).credential.computed_key_id.hex()  # type: ignore[union-attr]
        assert finding.severity is Severity.HIGH

    def test_on_a_privileged_account_it_is_critical(self, tool: str) -> None:
        admin = subject("admin", privileged=True)
        found = audit((admin, [BUILDERS[tool]("admin")]), cloud=[cloud_user("admin", ())])
        assert Severity.CRITICAL in {f.severity for f in found if f.code is Code.NOT_REGISTERED}

    def test_on_an_account_that_the_cloud_does_not_know_it_is_found(self, tool: str) -> None:
        found = audit((subject("svc"), [BUILDERS[tool]("svc")]), cloud=[cloud_user("alice", ())])
        assert Code.NO_CLOUD_USER in codes(found)

    def test_without_a_cloud_reading_nobody_says_that_it_is_not_registered(self, tool: str) -> None:
        found = audit((subject("alice"), [BUILDERS[tool]("alice")]))
        assert not codes(found) & {Code.NOT_REGISTERED, Code.NO_CLOUD_USER, Code.REGISTRATION_UNKNOWN}

    def test_when_the_users_list_is_unknown_it_is_called_unknown(self, tool: str) -> None:
        cloud = [cloud_user("alice", Unknown("no deviceKeys property"))]
        found = audit((subject("alice"), [BUILDERS[tool]("alice")]), cloud=cloud)
        assert Code.NOT_REGISTERED not in codes(found)
        (finding,) = [f for f in found if f.code is Code.REGISTRATION_UNKNOWN]
        assert "no deviceKeys property" in finding.message

    def test_on_a_computer_it_does_not_pass_for_the_computers_own(self, tool: str) -> None:
        found = audit((computer("PC1"), [vector("ComputerKey", "PC1"), BUILDERS[tool]("PC1")]))
        assert {Code.COMPUTER_USER_KEY, Code.COMPUTER_SEVERAL_KEYS} <= codes(found)


class TestLegitimate:
    @pytest.mark.parametrize("dialect", list(Dialect))
    def test_keys_as_entra_connect_and_we_write_them(self, dialect: Dialect) -> None:
        found = audit((subject("alice"), [value("alice", 1, dialect)]), cloud=[cloud_user("alice", (key(1),))])
        assert found == []

    def test_a_security_key_that_the_list_of_windows_hello_keys_does_not_have(self) -> None:
        accounts = (subject("alice"), [vector("UserKeyFIDO0", "alice")])
        assert audit(accounts, cloud=[cloud_user("alice", ())], known=devices(device(1))) == []

    def test_a_file_encryption_key(self) -> None:
        accounts = (subject("alice"), [value("alice", 1, usage=KeyUsage.FEK)])
        assert audit(accounts, cloud=[cloud_user("alice", ())]) == []

    @pytest.mark.parametrize("which", ["NonMFAKey", "ComputerKey", "DeviceKey_TPM"])
    def test_keys_that_computers_and_devices_wrote(self, which: str) -> None:
        accounts = (computer("PC1"), [vector(which, "PC1")])
        assert audit(accounts, cloud=[cloud_user("alice", ())], known=devices(device(1))) == []

    def test_a_key_of_ad_fs_registration_whose_device_is_in_the_directory(self) -> None:
        stored = value("alice", 1, source=KeySource.AD)
        known = devices(device(1, local=True), complete=False)
        assert audit((subject("alice"), [stored]), cloud=[cloud_user("alice", ())], known=known) == []

    def test_the_registered_key_in_another_encoding(self) -> None:
        samba = PLANTED["samba-tool 4.24.7 (user keytrust add)"]
        public = parse_material(KeyCredentialLink.parse(samba).credential.key_material or b"").public_key
        assert isinstance(public, RsaPublicKey)
        from keytrust.cloud.source import RegisteredKey
        from keytrust.credential import to_rsa1

        cloud = [cloud_user("alice", (RegisteredKey(to_rsa1(public.n, public.e)),))]
        found = audit((subject("alice"), [planted(samba, "alice")]), cloud=cloud)
        assert not codes(found) & ACCUSED


class TestAdFsIsNoHidingPlace:
    """Source AD alone, or a borrowed device, does not make a planted key pass for one of AD FS."""

    def planted_with(self, *known: int, local: bool, owners: tuple[str, ...] = ()) -> set[Code]:
        stored = value("alice", 1, source=KeySource.AD)
        devs = devices(*(device(n, *owners, local=local) for n in known), complete=False)
        return codes(audit((subject("alice"), [stored]), cloud=[cloud_user("alice", ())], known=devs))

    def test_a_device_that_does_not_exist(self) -> None:
        assert Code.NOT_REGISTERED in self.planted_with(2, local=True)

    def test_a_device_of_the_cloud_that_was_written_back(self) -> None:
        assert Code.NOT_REGISTERED in self.planted_with(1, local=False)

    def test_somebody_elses_device(self) -> None:
        found = self.planted_with(1, local=True, owners=("s-1-5-21-1-2-3-9999",))
        assert {Code.NOT_REGISTERED, Code.OTHERS_DEVICE} <= found


class TestMatching:
    def test_an_empty_cloud_is_a_fault_and_accuses_nobody(self) -> None:
        found = audit((subject("alice"), [value("alice", 1)]), cloud=[])
        assert codes(found) == {Code.REGISTRATION_UNKNOWN}

    @pytest.mark.parametrize(
        "users",
        [
            [cloud_user("alice", (), sid="S-1-5-21-9-9-9-9")],
            [cloud_user("alice", (), source_anchor=b"x" * 16)],
            [cloud_user("alice", ()), cloud_user("alice", (), id="second")],
        ],
        ids=["sid differs", "anchor differs", "two users"],
    )
    def test_an_uncertain_match_accuses_nobody(self, users: list) -> None:  # type: ignore[type-arg]
        assert codes(audit((subject("alice"), [value("alice", 1)]), cloud=users)) == {Code.REGISTRATION_UNKNOWN}

    def test_a_dump_without_guids_is_matched_by_sid(self) -> None:
        who = subject("alice", guid=b"", anchor=b"")
        found = audit((who, [value("alice", 1)]), cloud=[cloud_user("alice", (key(1),))])
        assert found == []

    def test_a_registered_key_that_is_missing_is_told_once(self) -> None:
        (finding,) = audit((subject("alice"), []), cloud=[cloud_user("alice", (key(1),))])
        assert (finding.code, finding.evidence["key"]) == (Code.REGISTERED_MISSING, key(1).key_id.hex())

    def test_nothing_is_missing_from_a_part_of_the_values(self) -> None:
        who = subject("alice", partial=True)
        found = audit((who, [value("alice", 2)]), cloud=[cloud_user("alice", (key(1), key(2)))])
        assert codes(found) == {Code.PARTIAL_VALUES}
