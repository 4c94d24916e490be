"""Administration: by the Graph-shaped API with roles, and by the command line on the registry's host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from registry_site import DESKTOP, LAPTOP, Site, account, material
from typer.testing import CliRunner, Result

from keytrust.cli.main import app
from keytrust.registry import import_users


def call(site: Site, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.request(method, site.url + path, json=body, headers=headers or site.administrator())


def audited(site: Site) -> list[str]:
    entries = site.get("/v1.0/auditLogs/directoryAudits").json()["value"]
    return [entry["activityDisplayName"] for entry in entries]


CHANGES = [
    ("PATCH", "/v1.0/users/alice@example.org", {"accountEnabled": False}),
    ("DELETE", "/v1.0/users/alice@example.org", None),
    ("PATCH", f"/v1.0/devices/{LAPTOP}", {"accountEnabled": False}),
    ("DELETE", f"/v1.0/devices/{LAPTOP}", None),
    ("DELETE", f"/v1.0/users/alice@example.org/authentication/windowsHelloForBusinessMethods/{LAPTOP}", None),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]} {change[1].split('/')[2]}")
def test_who_only_reads_changes_nothing(site: Site, change: tuple[str, str, Any]) -> None:
    before = audited(site)
    refused = call(site, *change, headers=site.reader())
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
    assert call(site, *change, headers={"Authorization": "Bearer x"}).status_code == 401
    user = {"Authorization": f"Bearer {site.device_token()}"}
    assert call(site, *change, headers=user).status_code == 401
    assert audited(site) == before


def test_a_user_is_disabled_and_enabled(any_site: Site) -> None:
    path = "/v1.0/users/alice@example.org"
    assert call(any_site, "PATCH", path, {"accountEnabled": False}).status_code == 204
    assert any_site.get(path + "?$select=accountEnabled").json() == {"accountEnabled": False}
    assert any_site.post(material(1), any_site.device_token()).json()["code"] == "user_disabled"
    assert call(any_site, "PATCH", path, {"accountEnabled": True}).status_code == 204
    assert any_site.post(material(1), any_site.device_token()).status_code == 200
    assert {"disable user", "enable user"} <= set(audited(any_site))
    import_users(any_site.database, [account("alice", enabled=False)])
    assert call(any_site, "PATCH", path, {"accountEnabled": True}).status_code == 400


def test_a_deleted_user_is_gone_and_comes_back_with_the_next_import(any_site: Site) -> None:
    assert any_site.post(material(1), any_site.device_token()).status_code == 200
    path = "/v1.0/users/alice@example.org"
    assert call(any_site, "DELETE", path).status_code == 204
    assert call(any_site, "DELETE", path).status_code == 404
    assert any_site.get(path).status_code == 404
    import_users(any_site.database, [account("alice")])
    assert any_site.materials() == [material(1)]


def test_a_device_is_read_named_disabled_and_removed_with_its_keys(any_site: Site) -> None:
    path = f"/v1.0/devices/{LAPTOP}"
    assert any_site.post(material(1), any_site.device_token()).status_code == 200
    assert any_site.post(material(2), any_site.device_token(device=DESKTOP)).status_code == 200
    owner = any_site.get(path + "/registeredOwners").json()["value"]
    assert [each["userPrincipalName"] for each in owner] == ["alice@example.org"]
    assert call(any_site, "PATCH", path, {"displayName": "Laptop 7", "accountEnabled": False}).status_code == 204
    device = any_site.get(path).json()
    assert (device["displayName"], device["accountEnabled"]) == ("Laptop 7", False)
    assert any_site.post(material(3), any_site.device_token()).json()["code"] == "device_not_found"
    link = any_site.get("/beta/users/delta?$deltatoken=latest&$select=deviceKeys").json()["@odata.deltaLink"]
    assert call(any_site, "DELETE", path).status_code == 204
    assert [any_site.get(path).status_code, call(any_site, "DELETE", path).status_code] == [404, 404]
    assert any_site.materials() == [material(2)]
    [changed] = httpx.get(link, headers=any_site.reader()).json()["value"]
    assert [key["deviceId"] for key in changed["deviceKeys"]] == [str(DESKTOP)]
    assert audited(any_site)[:2] == ["remove device", "Delete Windows Hello for Business credential"]


@pytest.mark.parametrize(
    "body",
    [{}, [], None, {"accountEnabled": "no"}, {"accountEnabled": 0}, {"userPrincipalName": "x"}, {"displayName": None}],
)
def test_what_cannot_be_changed_is_refused(site: Site, body: Any) -> None:
    for path in ("/v1.0/users/alice@example.org", f"/beta/devices/{LAPTOP}"):
        assert call(site, "PATCH", path, body).status_code == 400
    assert call(site, "PATCH", "/v1.0/users/nobody@example.org", {"accountEnabled": True}).status_code == 404
    assert call(site, "PATCH", f"/v1.0/devices/{UUID(int=77)}", {"accountEnabled": True}).status_code == 404


def test_changes_can_come_in_a_batch(site: Site) -> None:
    requests = [
        {"id": "1", "method": "PATCH", "url": "/users/alice@example.org", "body": {"accountEnabled": False}},
        {"id": "2", "method": "DELETE", "url": f"/devices/{DESKTOP}"},
    ]
    answers = call(site, "POST", "/v1.0/$batch", {"requests": requests}).json()["responses"]
    assert [answer["status"] for answer in answers] == [204, 204]
    assert site.read()["alice"].enabled is False
    refused = call(site, "POST", "/v1.0/$batch", {"requests": requests}, site.reader()).json()["responses"]
    assert [answer["status"] for answer in refused] == [403, 403]


# -- by command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def config(site: Site) -> Path:
    path = site.directory / "keytrust.toml"
    path.write_text(f'[registry]\ndatabase_url = "{site.settings.database_url}"\n')
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["registry", *words, "--config", str(config)])


def listed(config: Path, *words: str) -> list[dict[str, Any]]:
    result = run(config, *words, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_everything_registered_can_be_listed(site: Site, config: Path) -> None:
    answer = site.post(material(1), site.device_token()).json()
    assert [user["upn"] for user in listed(config, "users")] == [f"{n}@example.org" for n in ("alice", "bob", "carol")]
    assert [user["keys"] for user in listed(config, "users", "ALI")] == [1]
    assert [device["id"] for device in listed(config, "devices", "--owner", "alice@example.org")] == [
        str(LAPTOP),
        str(DESKTOP),
    ]
    assert listed(config, "devices", "--owner", "bob@example.org") == []
    [key] = listed(config, "keys", "--user", "alice@example.org")
    assert (key["kid"], key["device_id"]) == (answer["kid"], str(LAPTOP))
    assert listed(config, "audit", "--limit", "1")[0]["action"] == "register key"
    assert len(listed(config, "users", "--limit", "2")) == 2
    for words in (["users"], ["devices"], ["keys"], ["audit"], ["users", "--limit", "1"]):
        assert "alice" in run(config, *words).output
    assert run(config, "keys", "--user", "nobody@example.org").exit_code == 1


def test_a_key_is_revoked_by_its_id_by_its_hash_or_with_all_of_the_user(site: Site, config: Path) -> None:
    first = site.post(material(1), site.device_token()).json()["kid"]
    assert [key["kid"] for key in json.loads(run(config, "revoke", first, "--reason", "lost", "--json").stdout)] == [
        first
    ]
    assert listed(config, "audit", "--limit", "1")[0]["detail"] == "lost"
    site.post(material(2), site.device_token())
    [key] = listed(config, "keys")
    assert run(config, "revoke", key["key_id"][:15]).exit_code == 1
    assert run(config, "revoke", key["key_id"][:16].upper()).exit_code == 0
    for number, device in ((3, LAPTOP), (4, DESKTOP)):
        site.post(material(number), site.device_token(device=device))
    assert run(config, "revoke", "alice@example.org").exit_code == 1
    assert len(listed(config, "keys")) == 2
    assert run(config, "revoke", "alice@example.org", "--yes").exit_code == 0
    assert listed(config, "keys") == []
    assert site.materials() == []


def test_users_and_devices_are_switched_and_the_trail_says_who_and_why(
    site: Site, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "dora")
    assert run(config, "disable", "bob@example.org", "--reason", "left").exit_code == 0
    assert site.read()["bob"].enabled is False
    entry = listed(config, "audit", "--limit", "1")[0]
    assert (entry["actor"], entry["action"], entry["detail"]) == ("keytrust registry (dora)", "disable user", "left")
    assert run(config, "enable", "bob@example.org").exit_code == 0
    assert site.read()["bob"].enabled is True
    assert run(config, "disable", str(LAPTOP)).exit_code == 0
    assert site.post(material(1), site.device_token()).json()["code"] == "device_not_found"
    assert run(config, "enable", str(LAPTOP)).exit_code == 0
    assert site.post(material(1), site.device_token()).status_code == 200
    assert run(config, "disable", "nobody@example.org").exit_code == 1
    assert run(config, "enable", str(UUID(int=99))).exit_code == 1


def test_devices_are_entered_and_removed(site: Site, config: Path) -> None:
    new = UUID(int=50)
    assert run(config, "add-device", str(new), "--owner", "carol@example.org", "--name", "Tablet").exit_code == 0
    assert site.post(material(1), site.device_token("carol", new)).status_code == 200
    assert run(config, "disable", str(new)).exit_code == 0
    assert run(config, "add-device", str(new), "--owner", "carol@example.org", "--name", "Tablet 2").exit_code == 0
    [device] = listed(config, "devices", "tablet 2")
    assert (device["enabled"], device["keys"]) == (False, 1)
    assert "1 key was revoked" in run(config, "remove-device", str(new)).output
    assert site.materials("carol") == []
    assert run(config, "remove-device", str(new)).exit_code == 1
    assert run(config, "add-device", str(new), "--owner", "nobody@example.org").exit_code == 1


def test_texts_of_other_people_cannot_steer_the_terminal(site: Site, config: Path) -> None:
    import_users(site.database, [account("alice", display_name="\x1b[31m[bold]evil")])
    output = run(config, "users").output
    assert "\x1b" not in output
    assert "[bold]evil" in output
