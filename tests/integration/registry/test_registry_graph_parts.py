"""``$batch``, the audit log, ETags and metrics over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from registry_site import LAPTOP, Site, material

from keytrust.registry.graph_audits import ADD, DELETE

METHODS = "authentication/windowsHelloForBusinessMethods"


def batch(site: Site, requests: object, version: str = "beta", headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(f"{site.url}/{version}/$batch", json={"requests": requests}, headers=headers or site.reader())


def get(number: int, url: str, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "method": "GET", "url": url, **more}


def test_a_batch_answers_each_request_as_if_it_had_come_alone(site: Site) -> None:
    site.post(material(1), site.device_token())
    urls = [
        "/users/alice@example.org?$select=id,deviceKeys",
        "users/bob%40example.org/deviceKeys",
        "/users/nobody@example.org",
        "/users?$top=0",
        "/users/delta?$deltatoken=latest",
        "/nowhere",
    ]
    answers = batch(site, [get(number, url) for number, url in enumerate(urls)]).json()["responses"]
    assert [answer["id"] for answer in answers] == [str(number) for number in range(len(urls))]
    assert [answer["status"] for answer in answers] == [200, 200, 404, 400, 200, 404]
    alone = site.get("/beta" + urls[0])
    assert answers[0]["body"] == alone.json()
    assert answers[0]["headers"]["content-type"] == alone.headers["content-type"]
    assert answers[2]["body"]["error"]["code"] == "Request_ResourceNotFound"
    assert len(answers[0]["body"]["deviceKeys"]) == 1


def test_a_batch_can_do_no_more_than_its_token(site: Site) -> None:
    kid = site.post(material(1), site.device_token()).json()["kid"]
    request = {"id": "1", "method": "DELETE", "url": f"/users/alice@example.org/{METHODS}/{kid}"}
    forged = {**request, "headers": {"Authorization": site.administrator()["Authorization"]}}
    for attempt in (request, forged):
        (answer,) = batch(site, [attempt], "v1.0").json()["responses"]
        assert answer["status"] == 403
    assert batch(site, [request], headers={"Authorization": "Bearer x"}).status_code == 401
    (answer,) = batch(site, [request], "v1.0", site.administrator()).json()["responses"]
    assert (answer["status"], "body" in answer) == (204, False)
    assert site.materials() == []


def test_a_batch_knows_dependencies_and_does_not_nest(site: Site) -> None:
    nested = {"id": "c", "method": "POST", "url": "/$batch", "body": {"requests": []}}
    answers = batch(
        site, [get(1, "/users/nobody"), get(2, "/users", dependsOn=["1"]), get(3, "/users", dependsOn=[]), nested]
    ).json()["responses"]
    assert [answer["status"] for answer in answers] == [404, 424, 200, 400]


@pytest.mark.parametrize(
    "requests",
    [
        [],
        {},
        None,
        [1],
        [get(number, "/users") for number in range(21)],
        [get(1, "/users"), get(1, "/users")],
        [get(1, "https://elsewhere.example/users")],
        [get(1, "")],
        [{"id": 1, "method": "GET", "url": "/users"}],
        [{"id": "1", "method": "G T", "url": "/users"}],
        [get(1, "/users", headers={"A": 1})],
        [get(1, "/users", headers={"A": "b\nc"})],
        [get(1, "/users", dependsOn=["2"]), get(2, "/users")],
    ],
)
def test_what_is_not_a_batch_is_refused_whole(site: Site, requests: object) -> None:
    answer = batch(site, requests)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_the_largest_batch_is_served_and_a_larger_body_is_not(site: Site) -> None:
    answers = batch(site, [get(number, "/users") for number in range(20)]).json()["responses"]
    assert {answer["status"] for answer in answers} == {200}
    big = httpx.post(f"{site.url}/beta/$batch", content=b" " * 300_000, headers=site.reader())
    assert big.status_code == 400


def audits(site: Site, filter_: str = "", top: int = 100) -> list[dict[str, Any]]:
    link = f"{site.url}/v1.0/auditLogs/directoryAudits?$top={top}" + (f"&$filter={quote(filter_)}" if filter_ else "")
    found: list[dict[str, Any]] = []
    while link:
        answer = httpx.get(link, headers=site.reader())
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["value"]) <= top
        found += answer.json()["value"]
        link = answer.json().get("@odata.nextLink", "")
    return found


def test_the_audit_log_tells_whose_keys_changed_and_when(site: Site) -> None:
    registered = site.post(material(1), site.device_token())
    site.post(material(2), site.device_token())
    added = audits(site, f"activityDisplayName eq '{ADD}'")
    deleted = audits(site, f"activityDisplayName eq '{DELETE}'")
    assert (len(added), len(deleted)) == (2, 1)
    entry = added[1]
    user = site.get("/beta/users/alice@example.org").json()
    assert entry["targetResources"][0] == {
        "id": user["id"],
        "type": "User",
        "userPrincipalName": "alice@example.org",
    }
    assert entry["targetResources"][1]["id"] == str(LAPTOP)
    assert entry["initiatedBy"] == {"user": {"userPrincipalName": "alice@example.org"}}
    assert entry["correlationId"] == registered.headers["request-id"]
    since = added[0]["activityDateTime"]
    assert audits(site, f"activityDateTime ge {since} and activityDisplayName eq '{ADD}'") == added[:1]
    assert audits(site, f"activityDateTime ge {since}")[-1]["activityDateTime"] == since
    assert audits(site, "activityDateTime ge 2100-01-01T00:00:00Z") == []


def test_the_audit_log_has_every_entry_once_whatever_the_page(site: Site) -> None:
    for number in range(3):
        site.post(material(number), site.device_token())
    whole = audits(site)
    assert [entry["activityDateTime"] for entry in whole] == sorted(
        (entry["activityDateTime"] for entry in whole), reverse=True
    )
    for top in (1, 2, len(whole), len(whole) + 1):
        assert audits(site, top=top) == whole


@pytest.mark.parametrize(
    "filter_",
    [
        "activityDateTime le 2026-01-01T00:00:00Z",
        "activityDateTime ge yesterday",
        "activityDateTime ge 2026-13-01T00:00:00Z",
        "result eq 'success'",
        "activityDisplayName eq 'a' and activityDisplayName eq 'b'",
    ],
)
def test_other_audit_filters_are_refused(site: Site, filter_: str) -> None:
    answer = site.get(f"/v1.0/auditLogs/directoryAudits?$filter={quote(filter_)}")
    assert answer.status_code == 400


def test_an_etag_spares_a_body_until_something_changes(site: Site) -> None:
    url = f"{site.url}/beta/users/alice@example.org?$select=id,deviceKeys"
    etag = httpx.get(url, headers=site.reader()).headers["etag"]
    for known in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        again = httpx.get(url, headers={**site.reader(), "If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    site.post(material(1), site.device_token())
    changed = httpx.get(url, headers={**site.reader(), "If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert httpx.get(url, headers={"If-None-Match": etag}).status_code == 401


def test_metrics_count_routes_and_name_nobody(site: Site) -> None:
    site.get("/beta/users/alice@example.org")
    site.get("/beta/users/nobody@example.org")
    for number in range(3):
        httpx.get(f"{site.url}/no/such/place/{number}")
    text = httpx.get(f"{site.url}/metrics").text
    route = 'method="GET",route="/beta/users/{user}"'
    assert f'keytrust_registry_requests_total{{{route},status="200"}} 1.0' in text
    assert f'keytrust_registry_requests_total{{{route},status="404"}} 1.0' in text
    assert 'keytrust_registry_requests_total{method="GET",route="unknown",status="404"} 3.0' in text
    assert f"keytrust_registry_request_seconds_count{{{route}}} 2.0" in text
    assert "alice" not in text
    assert "place" not in text
