"""The Graph-shaped API over HTTP."""

from __future__ import annotations

import httpx
import pytest
from registry_site import ANY, DESKTOP, LAPTOP, Site, account, material

from keytrust.registry import audit, import_users, register_device

METHODS = "authentication/windowsHelloForBusinessMethods"


def assert_odata_error(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]
    assert error["innerError"]["request-id"] == answer.headers["request-id"]


def test_pages_hold_every_user_once_whatever_their_size(site: Site) -> None:
    import_users(site.database, [account(f"user{number}") for number in range(40)])
    for top in (1, 7, 42, 43, 44, 999):
        names: list[str] = []
        link = f"/beta/users?$select=userPrincipalName,deviceKeys&$top={top}"
        while link:
            body = site.get(link).json()
            assert len(body["value"]) <= top
            assert all(set(user) == {"userPrincipalName", "deviceKeys"} for user in body["value"])
            names += [user["userPrincipalName"] for user in body["value"]]
            following = body.get("@odata.nextLink", "")
            assert following.startswith(site.url) or not following
            link = following.removeprefix(site.url)
        assert len(names) == len(set(names)) == 43


def test_keys_are_listed_only_when_selected_and_only_in_beta(site: Site) -> None:
    site.post(material(1), site.device_token())
    assert all("deviceKeys" not in user for user in site.get("/beta/users").json()["value"])
    assert all("deviceKeys" not in user for user in site.get("/v1.0/users").json()["value"])
    assert_odata_error(site.get("/v1.0/users?$select=id,deviceKeys"), 400)
    assert_odata_error(site.get("/v1.0/users/alice@example.org/deviceKeys"), 404)
    (key,) = site.get("/beta/users/alice@example.org/deviceKeys").json()["value"]
    assert key["keyType"] == "NGC"
    assert key["deviceId"] == str(LAPTOP)
    one = site.get("/beta/users/alice@example.org?$select=deviceKeys").json()
    assert one == {"deviceKeys": [key]}


def test_a_user_is_found_by_id_and_by_name_in_any_case(site: Site) -> None:
    by_name = site.get("/v1.0/users/ALICE@example.ORG").json()
    assert site.get(f"/v1.0/users/{by_name['id']}").json() == by_name
    assert set(by_name) == {"id", "userPrincipalName", "displayName"}
    assert_odata_error(site.get("/v1.0/users/nobody@example.org"), 404)
    assert_odata_error(site.get("/v1.0/users/00000000-0000-0000-0000-000000000000"), 404)


def test_filters_find_by_id_name_and_source_anchor(site: Site) -> None:
    select = "$select=id,userPrincipalName,onPremisesImmutableId"
    alice = site.get(f"/v1.0/users/alice@example.org?{select}").json()
    for name, value in alice.items():
        found = site.get(f"/v1.0/users?{select}&$filter={name} eq '{value.replace('=', '%3D')}'").json()["value"]
        assert found == [alice]
    import_users(site.database, [account("o'hara")])
    assert len(site.get("/v1.0/users?$filter=userPrincipalName eq 'O''Hara@example.org'").json()["value"]) == 1
    assert site.get("/v1.0/users?$filter=id eq 'nobody'").json()["value"] == []
    for bad in ("accountEnabled eq true", "id ne 'x'", "id eq 'x' or id eq 'y'", "startswith(id,'x')", "id eq 'a'b'"):
        assert_odata_error(site.get(f"/v1.0/users?$filter={bad}"), 400)


@pytest.mark.parametrize(
    "query",
    ["$top=0", "$top=1000", "$top=x", "$top=-1", "$skiptoken=x", "$select=secret", "$orderby=id", "$count=true"],
)
def test_options_that_are_not_supported_are_refused_rather_than_ignored(site: Site, query: str) -> None:
    assert_odata_error(site.get(f"/beta/users?{query}"), 400)


def test_no_token_no_role_and_a_device_token_are_refused(site: Site) -> None:
    for path in ("/beta/users", "/v1.0/users/alice@example.org", "/v1.0/devices", f"/v1.0/users/x/{METHODS}"):
        without = httpx.get(site.url + path)
        assert_odata_error(without, 401)
        assert "www-authenticate" in without.headers
        assert_odata_error(httpx.get(site.url + path, headers={"Authorization": f"Bearer {site.device_token()}"}), 401)
        nobody = site.issuer.sign({"aud": site.settings.graph_resource, "roles": "Registry.Read"})
        assert_odata_error(httpx.get(site.url + path, headers={"Authorization": f"Bearer {nobody}"}), 403)


def test_a_key_is_shown_as_a_method_and_revoked_by_an_administrator_only(site: Site) -> None:
    kid = site.post(material(1), site.device_token()).json()["kid"]
    site.post(material(2), site.device_token(device=DESKTOP))
    path = f"/v1.0/users/alice@example.org/{METHODS}"
    methods = site.get(path).json()["value"]
    assert len(methods) == 2
    one = site.get(f"{path}/{kid}?$expand=device").json()
    assert one["device"]["deviceId"] == str(LAPTOP)
    assert {name: value for name, value in one.items() if name != "device"} in methods
    assert (one["displayName"], one["keyStrength"]) == ("PC 1", "normal")

    assert_odata_error(httpx.delete(f"{site.url}{path}/{kid}", headers=site.reader()), 403)
    wrong_user = f"{site.url}/v1.0/users/bob@example.org/{METHODS}/{kid}"
    assert_odata_error(httpx.delete(wrong_user, headers=site.administrator()), 404)
    assert len(site.materials()) == 2
    assert httpx.delete(f"{site.url}{path}/{kid}", headers=site.administrator()).status_code == 204
    assert site.materials() == [material(2)]
    assert_odata_error(site.get(f"{path}/{kid}"), 404)
    assert_odata_error(httpx.delete(f"{site.url}{path}/{kid}", headers=site.administrator()), 404)
    with site.database.read() as connection:
        latest = audit.trail(connection, limit=1)[0]
    assert (latest["action"], latest["actor"]) == ("revoke key", "application administrator")


def test_devices_are_listed_with_when_they_were_last_seen(site: Site) -> None:
    before = {device["id"]: device for device in site.get("/v1.0/devices").json()["value"]}
    assert before[str(LAPTOP)]["approximateLastSignInDateTime"] is None
    assert before[str(LAPTOP)]["accountEnabled"] is True
    site.post(material(1), site.device_token())
    first = site.get("/v1.0/devices?$top=1").json()
    second = httpx.get(first["@odata.nextLink"], headers=site.reader()).json()
    after = {device["id"]: device for device in first["value"] + second["value"]}
    assert after[str(LAPTOP)]["approximateLastSignInDateTime"] is not None
    assert after[str(DESKTOP)]["approximateLastSignInDateTime"] is None


def test_a_user_who_left_is_not_listed_and_comes_back_with_the_same_id_and_keys(site: Site) -> None:
    site.post(material(1), site.device_token())
    alice = site.read()["alice"]
    import_users(site.database, [account("bob")], complete=True, limit=ANY)
    assert set(site.read()) == {"bob"}
    assert_odata_error(site.get("/v1.0/users/alice@example.org"), 404)
    assert site.post(material(2), site.device_token()).status_code == 400
    import_users(site.database, [account("alice")])
    assert site.read()["alice"] == alice


def test_a_name_that_two_accounts_claim_is_nobody(site: Site) -> None:
    import_users(site.database, [account("dave", upn="alice@example.org")])
    assert_odata_error(site.get("/v1.0/users/alice@example.org"), 404)
    assert site.post(material(1), site.device_token()).status_code == 400


def test_links_stay_on_the_name_that_the_client_used(site: Site) -> None:
    port = site.url.rpartition(":")[2]
    found = httpx.get(f"http://localhost:{port}/beta/users?$top=1", headers=site.reader()).json()
    assert found["@odata.nextLink"].startswith(f"http://localhost:{port}/beta/users?")
    for host in ("evil.example", 'a"b', "127.0.0.1.evil.example:80"):
        answer = httpx.get(f"{site.url}/beta/users?$top=1", headers={**site.reader(), "Host": host})
        assert answer.json()["@odata.nextLink"].startswith(f"{site.url}/")


def test_a_device_may_be_shared_and_renamed(site: Site) -> None:
    register_device(site.database, LAPTOP, display_name="Shared PC")
    site.post(material(1), site.device_token("bob"))
    (method,) = site.get(f"/v1.0/users/bob@example.org/{METHODS}").json()["value"]
    assert method["displayName"] == "Shared PC"
