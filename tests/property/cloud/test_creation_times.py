"""Creation times from authentication methods: put to the key they belong to, or to none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from scripted_graph import Answer, FixedToken, Request, page, patient, scripted, user

from keytrust.cloud import CloudUser, Reported
from keytrust.cloud.graph import GraphSource

PHONE, LAPTOP, TABLET = (UUID(int=number) for number in (1, 2, 3))
METHODS = "/authentication/windowsHelloForBusinessMethods"


def at(day: int) -> str:
    return f"2026-03-{day:02}T10:00:00.1234567Z"


def keyed(number: int, *devices: UUID | None) -> dict[str, Any]:
    made = user(number, *(f"{number} {device}".encode() for device in devices))
    keys: Any = made["deviceKeys"]
    for key, device in zip(keys, devices, strict=True):
        del key["createdDateTime"]
        key["deviceId"] = None if device is None else str(device)
    return made


def method(name: str, day: int) -> dict[str, Any]:
    return {"id": name, "displayName": "PC", "createdDateTime": at(day)}


class Tenant:
    """Users with keys on devices, and their methods by name, day and device."""

    def __init__(self, users: list[dict[str, Any]], methods: dict[str, list[tuple[str, int, UUID]]]) -> None:
        self.users, self.methods = users, methods
        self.refuses: int | None = None
        self.asked = 0

    def __call__(self, request: Request, _number: int) -> Answer:
        path = urlsplit(request.path).path
        if path.endswith("/delta"):
            link = f"http://{HOST[0]}/beta/users/delta?$deltatoken=next"
            return Answer(json.dumps({"value": self.users, "@odata.deltaLink": link}).encode())
        if path.endswith("/$batch"):
            parts = json.loads(request.body)["requests"]
            return Answer(json.dumps({"responses": [self.part(each) for each in parts]}).encode())
        return page(self.users)

    def part(self, each: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if self.refuses is not None:
            return {"id": each["id"], "status": self.refuses, "body": {"error": {"code": "Denied"}}}
        path, _, query = each["url"].partition("?")
        head, _, rest = path.partition(METHODS)
        found = self.methods.get(head.rpartition("/")[2], [])
        if not rest:
            return {"id": each["id"], "status": 200, "body": {"value": [method(n, day) for n, day, _ in found]}}
        assert query == "$expand=device"
        ((name, day, device),) = [one for one in found if one[0] == rest.strip("/")]
        body = {**method(name, day), "device": {"id": "object", "deviceId": str(device)}}
        return {"id": each["id"], "status": 200, "body": body}


HOST: list[str] = [""]


def read(tenant: Tenant, *, changes: bool = True) -> dict[str, CloudUser]:
    with scripted(tenant) as (url, _):
        HOST[0] = url.removeprefix("http://")
        source = GraphSource(url, FixedToken(), retry=patient(), creation_times=True)
        users = source.changes().users if changes else source.read()
        return {each.id: each for each in users}


def days(found: CloudUser) -> dict[UUID | None, int | None]:
    assert isinstance(found.keys, Reported)
    return {key.device_id: None if key.created is None else key.created.day for key in found.keys.keys}


@pytest.mark.parametrize("changes", [True, False])
def test_one_key_and_one_method_are_each_others_at_one_request(changes: bool) -> None:
    tenant = Tenant([keyed(1, PHONE)], {"user-1": [("m", 5, LAPTOP)]})
    found = read(tenant, changes=changes)["user-1"]
    assert found.keys.keys[0].created == datetime(2026, 3, 5, 10, 0, 0, 123456, tzinfo=UTC)
    assert tenant.asked == 1


@pytest.mark.parametrize("changes", [True, False])
def test_several_are_joined_by_device(changes: bool) -> None:
    tenant = Tenant(
        [keyed(1, PHONE, LAPTOP, TABLET), keyed(2, LAPTOP)],
        {"user-1": [("a", 5, LAPTOP), ("b", 6, PHONE)], "user-2": [("c", 7, LAPTOP)]},
    )
    found = read(tenant, changes=changes)
    assert days(found["user-1"]) == {PHONE: 6, LAPTOP: 5, TABLET: None}
    assert days(found["user-2"]) == {LAPTOP: 7}


def test_two_methods_on_one_device_are_nobodys() -> None:
    tenant = Tenant([keyed(1, PHONE, LAPTOP)], {"user-1": [("a", 5, PHONE), ("b", 6, PHONE)]})
    assert days(read(tenant)["user-1"]) == {PHONE: None, LAPTOP: None}


def test_a_key_that_tells_its_own_time_is_not_asked_about() -> None:
    told = keyed(1, PHONE)
    told["deviceKeys"][0]["createdDateTime"] = at(9)
    tenant = Tenant([told], {"user-1": [("a", 5, PHONE)]})
    assert days(read(tenant)["user-1"]) == {PHONE: 9}
    assert tenant.asked == 0


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_service_that_does_not_tell_costs_times_and_no_keys(status: int) -> None:
    tenant = Tenant([keyed(each, PHONE) for each in range(50)], {})
    tenant.refuses = status
    found = read(tenant)
    assert len(found) == 50
    assert all(days(each) == {PHONE: None} for each in found.values())


@pytest.mark.parametrize(("status", "times"), [(403, 1), (503, 2)])
def test_one_that_does_not_tell_is_not_asked_again_for_a_while(status: int, times: int) -> None:
    tenant = Tenant([keyed(1, PHONE)], {})
    tenant.refuses = status
    with scripted(tenant) as (url, _):
        HOST[0] = url.removeprefix("http://")
        source = GraphSource(url, FixedToken(), retry=patient())
        source.changes()
        source.changes()
    assert tenant.asked == times


@pytest.mark.parametrize(
    "body",
    [
        {"value": [{"id": "m"}]},
        {"value": [{"id": 7, "createdDateTime": at(1)}]},
        {"value": [{"id": "m", "createdDateTime": "yesterday"}]},
        {"value": {}},
        {"value": [method("m", 1)], "@odata.nextLink": "https://elsewhere.example/"},
        {"value": [method(str(each), 1) for each in range(1000)]},
        {},
        None,
    ],
    ids=range(8),
)
def test_damaged_answers_cost_times_and_no_keys(body: Any) -> None:
    class Damaged(Tenant):
        def part(self, each: dict[str, Any]) -> dict[str, Any]:
            return {"id": each["id"], "status": 200, "body": body}

    assert days(read(Damaged([keyed(1, PHONE)], {}))["user-1"]) == {PHONE: None}
