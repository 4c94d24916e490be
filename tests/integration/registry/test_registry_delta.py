"""``users/delta`` over HTTP: whoever follows it ends with the same users as whoever reads everything."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest
from registry_site import ANY, DESKTOP, LAPTOP, Site, account, material

from keytrust.registry import Database, delta_tokens, import_users
from keytrust.registry.audit import Origin
from keytrust.registry.users import set_blocked

SELECT = "$select=userPrincipalName,accountEnabled,deviceKeys"


def follow(site: Site, link: str, size: int = 200) -> tuple[list[dict[str, Any]], str]:
    """All items of a round and its delta link."""
    items: list[dict[str, Any]] = []
    while True:
        url = link if link.startswith("http") else site.url + link
        answer = httpx.get(url, headers={**site.reader(), "Prefer": f"odata.maxpagesize={size}"})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body["value"]) <= size
        assert ("@odata.nextLink" in body) != ("@odata.deltaLink" in body)
        items += body["value"]
        if "@odata.deltaLink" in body:
            return items, body["@odata.deltaLink"]
        link = body["@odata.nextLink"]


def merged(known: dict[str, dict[str, Any]], items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    known = dict(known)
    for item in items:
        if "@removed" in item:
            known.pop(item["id"], None)
        else:
            known[item["id"]] = item
    return known


def everybody(site: Site) -> dict[str, dict[str, Any]]:
    body = site.get("/beta/users?$top=999&$select=id,userPrincipalName,accountEnabled,deviceKeys").json()
    return {item["id"]: item for item in body["value"]}


def test_a_first_round_lists_everybody_and_the_next_one_only_who_changed(site: Site) -> None:
    site.post(material(1), site.device_token())
    first, link = follow(site, f"/beta/users/delta?{SELECT}")
    assert merged({}, first) == everybody(site)
    assert follow(site, link)[0] == []
    site.post(material(2), site.device_token("bob", DESKTOP))
    ((changed), link) = follow(site, link)
    assert [(item["userPrincipalName"], len(item["deviceKeys"])) for item in changed] == [("bob@example.org", 1)]
    assert follow(site, link)[0] == []


def test_every_kind_of_change_is_reported_once(site: Site) -> None:
    kid = site.post(material(1), site.device_token()).json()["kid"]
    known = everybody(site)
    ids = {item["userPrincipalName"].partition("@")[0]: item["id"] for item in known.values()}
    _, link = follow(site, f"/beta/users/delta?{SELECT}&$deltatoken=latest")
    path = f"{site.url}/v1.0/users/{ids['alice']}/authentication/windowsHelloForBusinessMethods/{kid}"
    assert httpx.delete(path, headers=site.administrator()).status_code == 204
    items, link = follow(site, link)
    assert [(item["id"], item["deviceKeys"]) for item in items] == [(ids["alice"], [])]
    assert set_blocked(site.database, ids["bob"], True, origin=Origin("test", 1))
    items, link = follow(site, link)
    assert [(item["id"], item["accountEnabled"]) for item in items] == [(ids["bob"], False)]
    import_users(site.database, [account("alice"), account("bob")], complete=True, limit=ANY)
    items, link = follow(site, link)
    assert {"id": ids["carol"], "@removed": {"reason": "changed"}} in items
    import_users(site.database, [account("carol", upn="caroline@example.org")])
    items, link = follow(site, link)
    assert [(item["id"], item["userPrincipalName"]) for item in items] == [(ids["carol"], "caroline@example.org")]
    assert follow(site, link)[0] == []


def test_latest_skips_the_first_round(site: Site) -> None:
    for spelling in ("$deltatoken", "$deltaToken"):
        items, link = follow(site, f"/v1.0/users/delta?{spelling}=latest")
        assert items == []
        assert "deltatoken" in link


@pytest.mark.parametrize("seed", range(3))
def test_whoever_follows_the_changes_ends_with_the_same_users(site: Site, seed: int) -> None:
    """Changes happen between any two pages, of the first round as well."""
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    names = [f"user{number}" for number in range(15)]
    import_users(site.database, [account(name) for name in names])

    def change() -> None:
        kind = chance.randrange(3)
        if kind == 0:
            name = chance.choice(names)
            site.post(material(names.index(name)), site.device_token(name, chance.choice([LAPTOP, DESKTOP])))
        elif kind == 1:
            import_users(site.database, [account(name) for name in chance.sample(names, 13)], complete=True, limit=ANY)
        else:
            import_users(site.database, [account(chance.choice(names), enabled=chance.random() < 0.5)])

    known: dict[str, dict[str, Any]] = {}
    link = f"{site.url}/beta/users/delta?{SELECT}"
    for _ in range(4):
        while True:
            headers = {**site.reader(), "Prefer": "odata.maxpagesize=4"}
            body = httpx.get(link, headers=headers).json()
            known = merged(known, body["value"])
            link = body.get("@odata.nextLink") or body["@odata.deltaLink"]
            if "@odata.deltaLink" in body:
                break
            change()
    items, _ = follow(site, link)
    assert merged(known, items) == everybody(site)


def test_a_token_that_is_too_old_or_of_another_database_starts_over(site: Site) -> None:
    _, link = follow(site, f"/beta/users/delta?{SELECT}")
    state = delta_tokens.decode(httpx.URL(link).params["$deltatoken"])
    for stale in (
        {"issued": state.issued - 8 * 86_400},
        {"instance": "00000000-0000-0000-0000-000000000000"},
        {"seq": state.seq + 1},
        {"names": ("id", "of_another_version")},
    ):
        import dataclasses

        token = delta_tokens.encode(dataclasses.replace(state, **stale))
        answer = site.get(f"/beta/users/delta?$deltatoken={token}")
        assert answer.status_code == 410, stale
        assert answer.json()["error"]["code"] == "syncStateNotFound"
        items, _ = follow(site, answer.headers["location"])
        assert len(items) == 3


@pytest.mark.parametrize(
    "query",
    ["$deltatoken=x", "$skiptoken=AAAA", "$deltatoken=", "$top=5", "$orderby=id", "$select=nothing", "$expand=manager"],
)
def test_what_is_not_a_token_or_not_supported_is_refused(site: Site, query: str) -> None:
    assert site.get(f"/beta/users/delta?{query}").status_code == 400


def test_a_token_and_a_selection_together_are_refused_and_v1_has_no_keys(site: Site) -> None:
    _, link = follow(site, "/v1.0/users/delta")
    token = httpx.URL(link).params["$deltatoken"]
    assert site.get(f"/v1.0/users/delta?$select=id&$deltatoken={token}").status_code == 400
    assert site.get("/v1.0/users/delta?$select=deviceKeys").status_code == 400
    assert httpx.get(f"{site.url}/v1.0/users/delta").status_code == 401


def test_a_reopened_database_goes_on_where_it_was(site: Site) -> None:
    _, link = follow(site, f"/beta/users/delta?{SELECT}")
    again = Database.open(site.settings.database_url)
    try:
        assert again.instance == site.database.instance
        import_users(again, [account("dave")])
    finally:
        again.close()
    assert [item["userPrincipalName"] for item in follow(site, link)[0]] == ["dave@example.org"]
