"""The other rules: weak keys, orphans, stale accounts, computers, duplicates; each fires, and only where it should."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
from audit_world import DATA, audit, codes, computer, device, devices, subject, vector
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.world import NOW, dn, material, value

from keytrust.audit.model import AccountKind, Code, Severity, Vendor
from keytrust.credential import Dialect, KeySource, KeyUsage, attribute_text, build, to_rsa1

ROCA_KEYS = json.loads((DATA / "audit" / "roca_detect.json").read_text())["keys"]
NOW_SECONDS = int(NOW.timestamp())
DAY = 86_400


def raw(name: str, blob: bytes, owner: str | None = None) -> bytes:
    return f"B:{len(blob) * 2}:{blob.hex().upper()}:{owner or dn(name)}".encode()


def blob(number: int = 1, **fields: object) -> bytearray:
    given = {"device_id": UUID(int=number), "created": NOW, "dialect": Dialect.ENTRA} | fields
    return bytearray(build(material(number), **given).to_bytes())  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ROCA_KEYS, ids=lambda key: key["file"])
def test_roca_is_found_in_exactly_the_keys_in_which_roca_detect_finds_it(key: dict[str, object]) -> None:
    made = build(to_rsa1(int(str(key["n"]), 16), 65537), device_id=None, created=NOW, dialect=Dialect.ENTRA)
    found = audit((subject("a"), [attribute_text(made, dn("a")).encode()]))
    assert (Code.ROCA in codes(found)) == key["weak"]


def test_a_short_key_is_weak() -> None:
    modulus = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n  # noqa: S505 - weak on purpose
    made = build(to_rsa1(modulus, 3), device_id=None, created=NOW, dialect=Dialect.ENTRA)
    found = audit((subject("a"), [attribute_text(made, dn("a")).encode()]))
    assert [f.message for f in found if f.code is Code.WEAK_RSA] == ["RSA-1024, exponent 3: short, bad-exponent"]


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"\xff\xfe", b"B:4:0002:" + dn("a").encode()], ids=repr)
def test_an_unreadable_value_is_told_and_not_more(garbage: bytes) -> None:
    assert codes(audit((subject("a"), [garbage]))) == {Code.UNREADABLE_VALUE}


def test_a_false_key_id_a_false_hash_and_a_false_owner() -> None:
    false_id, false_hash = blob(), blob()
    false_id[10] ^= 1
    false_hash[50] ^= 1
    assert Code.KEY_ID_MISMATCH in codes(audit((subject("a"), [raw("a", false_id)])))
    assert codes(audit((subject("a"), [raw("a", false_hash)]))) == {Code.KEY_HASH_MISMATCH}
    assert codes(audit((subject("a"), [raw("a", blob(), dn("b"))]))) == {Code.OWNER_MISMATCH}


@pytest.mark.parametrize(
    "owner",
    ["cn=A,ou=people,dc=CORP,dc=example", "CN=\\61, OU=People,DC=corp,DC=example", "<GUID=0a>;<SID=0b>;" + dn("a")],
)
def test_the_same_owner_in_another_spelling_is_the_same(owner: str) -> None:
    assert audit((subject("a"), [raw("a", blob(), owner)])) == []


def test_one_key_on_two_accounts_names_both_and_is_critical_with_a_privileged_one() -> None:
    shared = audit((subject("a"), [value("a", 1)]), (subject("b"), [value("b", 1)]), (subject("c"), [value("c", 2)]))
    (finding,) = [f for f in shared if f.code is Code.SHARED_KEY]
    assert finding.severity is Severity.HIGH
    assert dn("a") in finding.evidence["accounts"] and dn("b") in finding.evidence["accounts"]
    assert dn("c") not in finding.evidence["accounts"]
    worse = audit((subject("a", privileged=True), [value("a", 1)]), (subject("b"), [value("b", 1)]))
    assert Severity.CRITICAL in {f.severity for f in worse if f.code is Code.SHARED_KEY}


def test_duplicates_on_one_account() -> None:
    twice = [value("a", 1), value("a", 1, Dialect.PORTABLE)]
    assert codes(audit((subject("a"), twice))) == {Code.DUPLICATE_KEY}
    impostor = blob(2)
    impostor[7:39] = blob(1)[7:39]
    assert Code.DUPLICATE_KEY_ID in codes(audit((subject("a"), [value("a", 1), raw("a", impostor)])))


class TestDevices:
    def test_without_devices_nothing_is_orphaned(self) -> None:
        assert audit((subject("a"), [value("a", 1)])) == []

    def test_gone_disabled_and_somebody_elses(self) -> None:
        known = devices(device(2, enabled=False), device(3, "bob@corp.example"), device(4, "a@corp.example"))
        stored = [value("a", number) for number in (1, 2, 3, 4)]
        by_code = {f.code: f.evidence["device"] for f in audit((subject("a"), stored), known=known)}
        assert by_code == {
            Code.NO_DEVICE: str(UUID(int=1)),
            Code.DEVICE_DISABLED: str(UUID(int=2)),
            Code.OTHERS_DEVICE: str(UUID(int=3)),
        }

    def test_the_directorys_own_devices_say_nothing_of_keys_from_the_cloud(self) -> None:
        known = devices(device(9, local=True), complete=False)
        assert audit((subject("a"), [value("a", 1)]), known=known) == []
        stored = value("a", 1, source=KeySource.AD)
        assert codes(audit((subject("a"), [stored]), known=known)) == {Code.NO_DEVICE}


class TestAccounts:
    def test_each_state_of_an_account(self) -> None:
        stored = [value("a", 1)]
        old = NOW_SECONDS - 400 * DAY
        assert codes(audit((subject("a", enabled=False), stored))) == {Code.DISABLED_ACCOUNT}
        assert codes(audit((subject("a", expires=old), stored))) == {Code.EXPIRED_ACCOUNT}
        assert codes(audit((subject("a", last_signin=old), stored))) == {Code.UNUSED_ACCOUNT}
        assert codes(audit((subject("a", privileged=True), stored))) == {Code.PRIVILEGED_ACCOUNT}
        recent = NOW_SECONDS - DAY
        assert audit((subject("a", enabled=True, expires=NOW_SECONDS + DAY, last_signin=recent), stored)) == []

    def test_nothing_is_said_of_accounts_without_keys(self) -> None:
        assert audit((subject("a", enabled=False, privileged=True, expires=1), [])) == []

    def test_an_old_key_is_stale_unless_it_is_used(self) -> None:
        old = NOW - timedelta(days=4 * 365)
        stored = [raw("a", blob(created=old))]
        assert codes(audit((subject("a"), stored))) == {Code.STALE_KEY}
        used = [raw("a", blob(created=old, last_logon=NOW - timedelta(days=2)))]
        assert audit((subject("a"), used)) == []

    def test_an_unspecified_usage_and_too_many_keys(self) -> None:
        assert codes(audit((subject("a"), [value("a", 1, usage=KeyUsage.STK)]))) == {Code.UNEXPECTED_USAGE}
        assert audit((subject("a"), [value("a", number) for number in range(1, 11)])) == []
        many = audit((subject("a"), [value("a", number) for number in range(1, 12)]))
        assert codes(many) == {Code.MANY_KEYS}


class TestComputers:
    def test_a_users_key_on_a_computer(self) -> None:
        assert codes(audit((computer("PC"), [value("PC", 1)]))) == {Code.COMPUTER_USER_KEY}

    def test_two_keys_of_its_own(self) -> None:
        values = [vector("ComputerKey", "PC"), vector("NonMFAKey", "PC")]
        assert codes(audit((computer("PC"), values))) == {Code.COMPUTER_SEVERAL_KEYS}

    def test_a_key_of_its_own_and_its_device_key_are_fine(self) -> None:
        assert audit((computer("PC"), [vector("ComputerKey", "PC"), vector("DeviceKey_TPM", "PC")])) == []

    def test_other_objects_are_not_judged_as_users(self) -> None:
        other = subject("thing", kind=AccountKind.OTHER, enabled=False)
        assert audit((other, [value("thing", 1)])) == []


def test_a_form_that_the_domain_controllers_do_not_accept() -> None:
    entra = (subject("a"), [value("a", 1, Dialect.ENTRA)])
    assert codes(audit(entra, vendor=Vendor.SAMBA)) == {Code.REJECTED_BY_CONTROLLER}
    assert audit(entra, vendor=Vendor.WINDOWS) == []
    assert audit((subject("a"), [value("a", 1, Dialect.PORTABLE)]), vendor=Vendor.SAMBA) == []


class TestBaseline:
    def test_a_fingerprint_is_the_same_in_the_next_audit_and_after_a_move(self) -> None:
        first = audit((subject("a", enabled=False), [value("a", 1, usage=KeyUsage.STK)]))
        moved = subject("a", enabled=False, dn="CN=a,OU=Elsewhere,DC=corp,DC=example")
        text = value("a", 1, usage=KeyUsage.STK).replace(dn("a").encode(), moved.dn.encode())
        second = audit((moved, [text]), now=NOW_SECONDS + DAY)
        assert [f.fingerprint for f in first] == [f.fingerprint for f in second] != []

    def test_what_is_accepted_is_left_out_and_what_is_new_is_not(self) -> None:
        (old,) = audit((subject("a"), [b"garbage"]))
        found = audit((subject("a"), [b"garbage", b"more garbage"]), accepted=[old.fingerprint])
        assert [f.fingerprint == old.fingerprint for f in found] == [False]


def test_every_kind_of_finding_has_a_meaning_and_a_remedy() -> None:
    from keytrust.audit.catalogue import CATALOGUE

    assert set(CATALOGUE) == set(Code)
    assert all(entry.title and entry.meaning and entry.remedy for entry in CATALOGUE.values())


def test_findings_come_worst_first_and_unaltered_however_many_there_are() -> None:
    accounts = [(subject(f"u{n}"), [b"x%d" % n]) for n in range(500)]
    found = audit(*accounts, (subject("bad"), [value("bad", 1)]), (subject("worse"), [value("worse", 1)]))
    assert found[0].code is Code.SHARED_KEY
    assert [f.account for f in found[1:]] == [f"u{n}" for n in range(500)]
