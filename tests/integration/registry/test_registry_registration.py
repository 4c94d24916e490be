"""Registering keys over HTTP, the way devices do it, and every way it is refused ([MS-KPP])."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from registry_site import DESKTOP, LAPTOP, Site, assert_refused, at_once, material

from keytrust.cloud import Reported
from keytrust.credential import rsa1_from_key, to_rsa1, weaknesses
from keytrust.device import Device, key_provision_resource
from keytrust.errors import CloudError
from keytrust.registry import audit, disable_device, enable_device
from keytrust.registry.users import find_user, set_blocked


def test_a_device_registers_a_key_and_the_source_reads_it_back(site: Site) -> None:
    device = Device(LAPTOP)
    assert key_provision_resource(site.url, "keytrust.local") == site.settings.key_provision_resource
    answer = device.register(site.url, "keytrust.local", site.device_token())
    assert answer.upn == "alice@example.org"
    users = site.read()
    assert set(users) == {"alice", "bob", "carol"}
    keys = users["alice"].keys
    assert isinstance(keys, Reported)
    assert [(key.material, key.device_id, key.key_type) for key in keys.keys] == [(device.material, LAPTOP, "NGC")]
    assert keys.keys[0].created is not None
    assert users["bob"].keys == Reported(())
    assert users["alice"].source_anchor == b"alice".ljust(16, b"\0")
    assert users["alice"].sid == f"S-1-5-21-1-2-3-{1000 + sum(b'alice')}"
    assert users["alice"].enabled is True


def test_the_private_key_is_saved_for_its_owner_only_and_never_over_another_file(tmp_path: Path) -> None:
    device, path = Device(), tmp_path / "key.pem"
    device.save_private_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    saved = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(saved, rsa.RSAPrivateKey)
    assert rsa1_from_key(saved.public_key()) == device.material
    with pytest.raises(FileExistsError):
        device.save_private_key(path)


def test_discovery_has_every_service_that_clients_look_for(site: Site) -> None:
    for tenant in ("keytrust.local", "KEYTRUST.local", str(site.settings.tenant_id)):
        document = httpx.get(f"{site.url}/{tenant}/Discover?api-version=1.9").json()
        assert document["KeyProvisioningService"] == {
            "KeyProvisionEndpoint": f"{site.url}/EnrollmentServer/key/",
            "KeyProvisionResourceId": "urn:ms-drs:127.0.0.1",
            "ServiceVersion": "1.0",
        }
        assert set(document) >= {
            "DiscoveryService",
            "DeviceRegistrationService",
            "AuthenticationService",
            "DeviceJoinService",
            "NonceService",
            "WebAuthNService",
            "TenantInfo",
        }
        assert "TokenEndpoint" in document["AuthenticationService"]["OAuth2"]
    assert httpx.get(f"{site.url}/keytrust.local/Discover").status_code == 400
    assert httpx.get(f"{site.url}/other.example/Discover?api-version=1.9").status_code == 404


def test_the_answer_has_a_kid_that_is_a_guid_and_a_request_id(site: Site) -> None:
    answer = site.post(material(1), site.device_token())
    assert answer.status_code == 200
    assert answer.json()["upn"] == "alice@example.org"
    UUID(answer.json()["kid"])
    UUID(answer.headers["request-id"])


def test_the_same_key_twice_is_answered_the_same(site: Site) -> None:
    first, second = (site.post(material(1), site.device_token()).json() for _ in range(2))
    assert first == second
    assert site.materials() == [material(1)]


def test_a_new_key_replaces_the_old_one_on_that_device_only(site: Site) -> None:
    for number, device in ((1, LAPTOP), (2, DESKTOP), (3, LAPTOP)):
        assert site.post(material(number), site.device_token(device=device)).status_code == 200
    assert sorted(site.materials()) == sorted([material(2), material(3)])


def test_a_key_of_someone_else_is_refused(site: Site) -> None:
    assert site.post(material(1), site.device_token("alice")).status_code == 200
    refused = site.post(material(1), site.device_token("bob"))
    assert (refused.status_code, refused.json()["code"]) == (400, "key_already_registered")
    assert site.materials("bob") == []
    assert site.materials("alice") == [material(1)]


def test_the_same_registration_many_times_at_once_is_one_key(site: Site) -> None:
    token = site.device_token()
    answers = at_once([lambda: site.post(material(1), token)] * 8)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["kid"] for answer in answers}) == 1
    assert site.materials() == [material(1)]


def test_one_key_by_two_users_at_once_has_one_owner(site: Site) -> None:
    tokens = [site.device_token(name) for name in ("alice", "bob", "carol")] * 2
    answers = at_once([lambda token=token: site.post(material(1), token) for token in tokens])  # type: ignore[misc]
    winners = {answer.json()["upn"] for answer in answers if answer.status_code == 200}
    assert len(winners) == 1
    assert {answer.status_code for answer in answers} == {200, 400}
    assert sum(len(site.materials(name)) for name in ("alice", "bob", "carol")) == 1


def test_many_keys_for_one_device_at_once_leave_one(site: Site) -> None:
    token = site.device_token()
    answers = at_once([lambda number=number: site.post(material(number), token) for number in range(6)])  # type: ignore[misc]
    assert {answer.status_code for answer in answers} == {200}
    assert len(site.materials()) == 1


@pytest.mark.parametrize("params", [{}, {"api-version": "2.0"}, {"api-version": ""}, {"api-version": "1.0\0"}])
def test_another_api_version_is_refused(site: Site, params: dict[str, str]) -> None:
    assert_refused(site, site.post(material(1), site.device_token(), params=params), 400, "api-version")


@pytest.mark.parametrize("accept", ["", "text/html", "application/xml, text/plain"])
def test_another_accept_is_refused(site: Site, accept: str) -> None:
    answer = site.post(material(1), site.device_token(), headers={"Accept": accept})
    assert_refused(site, answer, 400, "Accept")


def weak_modulus() -> int:
    """A 2048-bit modulus with the ROCA fingerprint: a power of 65537 modulo the product of small primes."""
    product = 1
    for prime in (p for p in range(2, 168) if all(p % d for d in range(2, p))):
        product *= prime
    n = pow(65537, 12345, product)
    n += product * ((1 << 2047) // product + 1)
    while "roca" not in weaknesses(n, 65537) or weaknesses(n, 65537) != ("roca",):
        n += product
    return n


def blob(n: int, e: int = 65537) -> bytes:
    return to_rsa1(n, e)


GOOD = 2**2047 + 2**1000 + 1

BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"kngc",
    "not an object": b"[]",
    "no kngc": b"{}",
    "kngc null": b'{"kngc":null}',
    "kngc empty": b'{"kngc":""}',
    "kngc a number": b'{"kngc":1}',
    "kngc twice": b'{"kngc":"UlNBMQ==","kngc":"UlNBMQ=="}',
    "not base64": b'{"kngc":"###"}',
    "deep nesting": b'{"kngc":' + b"[" * 15_000,
    "not Unicode": b'{"kngc":"\xff"}',
    "a surrogate": b'{"kngc":"\\ud800"}',
}
BAD_BLOBS: dict[str, bytes] = {
    "nothing": b"\0",
    "another magic": b"RSA2" + material(0)[4:],
    "cut": material(0)[:-1],
    "too long": material(0) + b"\0",
    "1024 bits": rsa1_from_key(rsa.generate_private_key(65537, 1024).public_key()),  # noqa: S505 - it must be refused
    "3072 bits": rsa1_from_key(rsa.generate_private_key(65537, 3072).public_key()),
    "exponent 3": blob(GOOD, 3),
    "exponent 1": blob(GOOD, 1),
    "even modulus": blob(GOOD + 1),
    "ROCA": blob(weak_modulus()),
    "a padded exponent": material(0)[:8] + b"\x04\0\0\0" + material(0)[12:24] + b"\0" + material(0)[24:],
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_refused(site: Site, case: str) -> None:
    assert_refused(site, site.post(b"", site.device_token(), content=BAD_BODIES[case]), 400, "kngc")


@pytest.mark.parametrize("case", BAD_BLOBS)
def test_a_bad_key_is_refused(site: Site, case: str) -> None:
    assert_refused(site, site.post(BAD_BLOBS[case], site.device_token()), 400, "kngc")


def test_a_huge_body_is_refused_before_it_is_read(site: Site) -> None:
    answer = site.post(b"", site.device_token(), content=b'{"kngc":"' + b"A" * 5_000_000 + b'"}')
    assert_refused(site, answer, 413, "body")


def test_unknown_and_contradictory_users_are_refused(site: Site) -> None:
    assert_refused(site, site.post(material(1), site.device_token("mallory")), 400, "upn")
    with site.database.read() as connection:
        bob = find_user(connection, upn="bob@example.org")
    assert bob is not None
    assert_refused(site, site.post(material(1), site.device_token("alice", user_id=bob.id)), 400, "upn")
    assert site.post(material(1), site.device_token("bob", user_id=bob.id)).status_code == 200


def test_disabled_users_and_devices_are_refused_until_they_are_enabled(site: Site) -> None:
    assert disable_device(site.database, LAPTOP)
    assert_refused(site, site.post(material(1), site.device_token()), 401, "deviceid")
    assert enable_device(site.database, LAPTOP)
    alice = site.read()["alice"].id
    assert set_blocked(site.database, alice, True, origin=audit.Origin("test", 1))
    assert_refused(site, site.post(material(1), site.device_token()), 401, "upn")
    assert set_blocked(site.database, alice, False, origin=audit.Origin("test", 1))
    assert site.post(material(1), site.device_token()).status_code == 200


def test_the_clients_own_request_id_is_echoed_only_if_it_is_an_id(site: Site) -> None:
    mine = "11111111-2222-3333-4444-555555555555"
    assert site.post(b"", "x", headers={"client-request-id": mine}).json()["clientrequestid"] == mine
    assert "<" not in site.post(b"", "x", headers={"client-request-id": "<script>"}).json()["clientrequestid"]


def test_every_change_of_a_key_is_in_the_audit_trail(site: Site) -> None:
    first = site.post(material(1), site.device_token())
    site.post(material(2), site.device_token())
    site.post(material(2), site.device_token())
    with site.database.read() as connection:
        rows = audit.trail(connection, user_id=site.read()["alice"].id)
    actions = [row["action"] for row in rows if "key" in str(row["action"])]
    assert actions == ["register key", "replace key", "register key"]
    registered = next(row for row in reversed(rows) if row["action"] == "register key")
    assert registered["actor"] == "user alice@example.org"
    assert registered["request_id"] == first.headers["request-id"]


def test_a_device_is_told_why_it_is_refused(site: Site) -> None:
    with pytest.raises(CloudError, match="not fresh") as caught:
        Device(LAPTOP).register(site.url, "keytrust.local", site.device_token(authenticated=time.time() - 3600))
    assert "request-id" in caught.value.detail
    with pytest.raises(CloudError, match="not served"):
        Device(LAPTOP).register(site.url, "elsewhere.example", site.device_token())


def test_base64_of_a_key_may_not_hide_other_bytes(site: Site) -> None:
    encoded = base64.b64encode(material(1))
    answer = site.post(b"", site.device_token(), content=b'{"kngc":"' + encoded[:8] + b"\\n" + encoded[8:] + b'"}')
    assert_refused(site, answer, 400, "kngc")
