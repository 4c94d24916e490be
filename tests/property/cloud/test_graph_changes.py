"""Delta reads and single reads against a server that does everything legal, and much that is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_graph import Answer, FixedToken, Request, page, patient, scripted, user

from keytrust.cloud import CloudUser, Reported, Unknown
from keytrust.cloud.delta import Changes
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.limits import Limits
from keytrust.errors import CloudError

LIMITS = Limits(page_bytes=200_000, pages=50, idle_pages=5, total_bytes=2_000_000)
GONE = {"id": "user-9", "@removed": {"reason": "changed"}}


def source(root: str, waits: list[float] | None = None) -> GraphSource:
    return GraphSource(root, FixedToken(), retry=patient(waits), limits=LIMITS)


def last(users: list[Any], **more: Any) -> Answer:
    """The last page of a round."""
    return page(users, **{"@odata.deltaLink": "/beta/users/delta?$deltatoken=next"}, **more)


def changes(script: Callable[[Request, int], Answer], cursor: str | None = None) -> tuple[Changes, list[Request]]:
    with scripted(script) as (root, seen):
        whole = None if cursor is None else root + cursor
        return source(root).changes(whole), seen


CURSOR = "/beta/users/delta?$deltatoken=old"


def test_a_round_without_a_cursor_brings_everybody_and_the_next_cursor() -> None:
    def script(request: Request, number: int) -> Answer:
        return (
            page([user(1, b"one")], "/beta/users/delta?$skiptoken=2") if number == 0 else last([user(2, b"two"), GONE])
        )

    found, seen = changes(script)
    assert {each.id for each in found.users} == {"user-1", "user-2"}
    assert found.removed == {"user-9": "changed"}
    assert found.everybody
    assert found.cursor.endswith("/beta/users/delta?$deltatoken=next")
    assert "deviceKeys" in seen[0].path
    assert "$top" not in seen[0].path
    assert "%24top" not in seen[0].path


def test_a_cursor_is_followed_verbatim_and_nothing_new_is_nothing_new() -> None:
    found, seen = changes(lambda *_: last([]), CURSOR + "%2b%2F&x=ä b")
    assert (found.users, found.removed, found.everybody) == ((), {}, False)
    assert seen[0].path.startswith(CURSOR + "%2b%2F")


@pytest.mark.parametrize(
    "lost",
    [
        Answer(b"", 410),
        Answer(b"{}", 410, {"Location": "/beta/users/delta?$skiptoken=fresh"}),
        Answer(b"{}", 410, {"Location": "/beta/users/delta"}),
        Answer(b'{"error":{"code":"syncStateNotFound","message":"expired"}}', 400),
        Answer(b'{"error":{"code":"SyncStateInvalid","message":"x"}}', 404),
    ],
)
def test_a_lost_state_begins_again_and_says_so(lost: Answer) -> None:
    found, seen = changes(lambda _, number: lost if number == 0 else last([user(1, b"one")]), CURSOR)
    assert found.everybody
    assert [each.id for each in found.users] == ["user-1"]
    assert len(seen) == 2
    fresh = "fresh" in lost.headers.get("Location", "")
    assert ("fresh" in seen[1].path) == fresh
    assert ("deviceKeys" in seen[1].path) != fresh  # what a round selects at its start is what it tells of later


def test_a_state_that_is_lost_twice_is_an_error_and_not_a_circle() -> None:
    with scripted(lambda *_: Answer(b"", 410, {"Location": "/beta/users/delta"})) as (root, seen):
        with pytest.raises(CloudError, match="410"):
            source(root).changes(root + CURSOR)
        assert len(seen) == 2


def test_a_token_never_follows_a_cursor_or_a_location_to_another_server() -> None:
    with (
        scripted(lambda *_: last([])) as (other, other_seen),
        scripted(lambda *_: Answer(b"", 410, {"Location": other + "/beta/users/delta"})) as (root, _),
    ):
        for cursor in (other + CURSOR, root + CURSOR):
            with pytest.raises(CloudError):
                source(root).changes(cursor)
    assert other_seen == []


def single_script(first: Answer, singles: dict[str, Answer]) -> Callable[[Request, int], Answer]:
    """A delta round of one page, and single users without ``$batch``."""

    def script(request: Request, _: int) -> Answer:
        if "/users/delta" in request.path:
            return first
        if request.path.endswith("$batch"):
            return Answer(b"{}", 404)
        name = request.path.partition("/users/")[2].partition("?")[0]
        return singles[name]

    return script


def one(found: dict[str, object]) -> Answer:
    return Answer(json.dumps(found).encode())


def test_a_user_reported_alike_twice_is_reported_once() -> None:
    found, seen = changes(lambda *_: last([user(1, b"one"), user(1, b"one")]), CURSOR)
    assert [each.id for each in found.users] == ["user-1"]
    assert len(seen) == 1


def test_of_a_user_reported_in_two_ways_the_service_is_asked() -> None:
    first = last([user(1, b"old"), user(1), {"id": "user-2", "@removed": {"reason": "deleted"}}, user(2, b"two")])
    script = single_script(first, {"user-1": one(user(1, b"now")), "user-2": Answer(b"{}", 404)})
    found, _ = changes(script, CURSOR)
    assert [(each.id, [key.material for key in each.keys.keys]) for each in found.users] == [("user-1", [b"now"])]
    assert found.removed == {"user-2": "unknown"}


def test_changes_without_keys_are_completed_user_by_user() -> None:
    first = last([{"id": "user-1"}, {"id": "user-2"}, {"id": "user-3", "deviceKeys": []}])
    script = single_script(first, {"user-1": one(user(1, b"one")), "user-2": Answer(b"{}", 403)})
    found, _ = changes(script, CURSOR)
    by_id = {each.id: each.keys for each in found.users}
    assert [key.material for key in by_id["user-1"].keys] == [b"one"]
    assert isinstance(by_id["user-2"], Unknown)
    assert "403" in by_id["user-2"].reason
    assert by_id["user-3"] == Reported(())


@pytest.mark.parametrize("status", [429, 503])
def test_a_user_who_is_throttled_within_a_batch_to_the_end_of_patience_is_not_passed_over(status: int) -> None:
    def script(request: Request, _: int) -> Answer:
        if "/users/delta" in request.path:
            return last([{"id": "user-1"}, {"id": "user-2"}])
        asked = json.loads(request.body)["requests"]
        answers = [
            {"id": each["id"], "status": status}
            if "user-2" in each["url"]
            else {"id": each["id"], "status": 200, "body": user(1, b"one")}
            for each in asked
        ]
        return Answer(json.dumps({"responses": answers}).encode())

    with scripted(script) as (root, _), pytest.raises(CloudError, match="just now what became of user user-2"):
        source(root).changes(root + CURSOR)


INCOMPLETE = {
    "no link": page([user(1)]),
    "both links": page([], "/beta/users/delta?x", **{"@odata.deltaLink": "/beta/users/delta?y"}),
    "a delta link elsewhere": page([], **{"@odata.deltaLink": "https://elsewhere.example/"}),
    "a delta link that is none": page([], **{"@odata.deltaLink": 7}),
    "an error beside the users": last([user(1)], error={"code": "x"}),
    "a removal of nobody": last([{"@removed": {"reason": "deleted"}}]),
    "no users": Answer(b'{"@odata.deltaLink":"/beta/users/delta?x"}'),
    "cut": Answer(last([]).body, cut=10),
    "refused": Answer(b"{}", 403),
    "a circle": page([user(1)], CURSOR),
}


@pytest.mark.parametrize("fault", INCOMPLETE)
def test_a_round_that_did_not_complete_is_an_error(fault: str) -> None:
    with scripted(lambda *_: INCOMPLETE[fault]) as (root, seen):
        with pytest.raises(CloudError):
            source(root).changes(root + CURSOR)
        assert len(seen) <= 5


def test_endless_empty_pages_of_changes_are_bounded() -> None:
    with scripted(lambda _, number: page([], f"/beta/users/delta?$skiptoken={number}")) as (root, seen):
        with pytest.raises(CloudError):
            source(root).changes()
        assert len(seen) < 10


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.sampled_from([None, [], {}, 0, "x", {"reason": None}, [{}], [None]]), st.data())
def test_no_damage_to_a_round_makes_keys_look_removed(cut: int, damage: object, data: st.DataObject) -> None:
    content: dict[str, Any] = json.loads(last([user(1, b"one"), user(2, b"two")]).body)
    place = data.draw(st.sampled_from(["cut", "value", "user", "material", "@removed", "status"]))
    if place == "user":
        content["value"][0] = damage
    elif place == "material":
        content["value"][0]["deviceKeys"][0]["keyMaterial"] = damage
    elif place == "@removed":
        content["value"][0]["@removed"] = damage
    elif place == "value":
        content["value"] = damage
    body = json.dumps(content).encode()
    answer = Answer(body[: min(cut, len(body) - 1)] if place == "cut" else body)

    def script(request: Request, _: int) -> Answer:
        return answer if "/users/delta" in request.path else Answer(b"{}", 404)

    try:
        found, _ = changes(script, CURSOR)
    except CloudError:
        return
    assert all(each.keys != Reported(()) for each in found.users)


# The collection does not show keys: users are asked for in batches.


class Tenant:
    """Users whose keys are shown to single requests only; inner answers can be overridden once or for ever."""

    def __init__(self, count: int, *, batches: bool = True) -> None:
        self.users = {f"user-{number}": user(number, b"key %d" % number) for number in range(count)}
        self.batches = batches
        self.sizes: list[int] = []
        self.once: dict[str, list[dict[str, Any]]] = {}
        self.always: dict[str, dict[str, Any]] = {}

    def __call__(self, request: Request, _: int) -> Answer:
        if request.path.endswith("$batch"):
            if not self.batches:
                return Answer(b"{}", 405)
            requests = json.loads(request.body)["requests"]
            self.sizes.append(len(requests))
            answers = [{"id": each["id"], **self.answer(each["url"])} for each in reversed(requests)]
            return Answer(json.dumps({"responses": answers}).encode())
        if "/users/" in request.path:
            inner = self.answer(request.path.removeprefix("/beta"))
            return Answer(json.dumps(inner.get("body", {})).encode(), inner["status"])
        shown = [{name: value for name, value in each.items() if name != "deviceKeys"} for each in self.users.values()]
        return page(shown)

    def answer(self, url: str) -> dict[str, Any]:
        name = url.removeprefix("/users/").partition("?")[0]
        if self.once.get(name):
            return self.once[name].pop(0)
        return self.always.get(name, {"status": 200, "body": self.users[name]})


def read(tenant: Tenant, waits: list[float] | None = None) -> dict[str, CloudUser]:
    with scripted(tenant) as (root, _):
        return {found.id: found for found in source(root, waits).read()}


@pytest.mark.parametrize("batches", [True, False])
def test_users_shown_without_keys_are_asked_for_in_batches_or_one_by_one(batches: bool) -> None:
    tenant = Tenant(45, batches=batches)
    found = read(tenant)
    assert len(found) == 45
    assert all(isinstance(each.keys, Reported) and len(each.keys.keys) == 1 for each in found.values())
    # The first alone, to see whether it helps; the others at the same time, and in whatever order they arrive.
    assert (tenant.sizes[:1], sorted(tenant.sizes[1:])) == (([20], [5, 20]) if batches else ([], []))


def test_throttled_parts_of_a_batch_are_asked_for_again_on_their_own() -> None:
    tenant = Tenant(20)
    tenant.once["user-3"] = [{"status": 429, "headers": {"Retry-After": "11"}}, {"status": 503}]
    tenant.once["user-4"] = [{"status": 429}]
    waits: list[float] = []
    found = read(tenant, waits)
    assert all(isinstance(each.keys, Reported) for each in found.values())
    assert tenant.sizes == [20, 2, 1]
    assert waits[0] >= 11


def test_parts_that_stay_refused_leave_their_users_unknown_and_the_others_read() -> None:
    tenant = Tenant(20)
    tenant.always = {"user-1": {"status": 429}, "user-2": {"status": 403}, "user-3": {"status": 404, "body": {}}}
    found = read(tenant)
    unknown = {name for name, each in found.items() if isinstance(each.keys, Unknown)}
    assert unknown == {"user-1", "user-2", "user-3"}
    assert "429" in str(found["user-1"].keys)


def test_asking_one_by_one_stops_where_it_does_not_help() -> None:
    tenant = Tenant(60)
    for each in tenant.users.values():
        del each["deviceKeys"]
    found = read(tenant)
    assert len(found) == 60
    assert all(isinstance(each.keys, Unknown) for each in found.values())
    assert tenant.sizes == [20]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "body": {"id": "user-7", "deviceKeys": []}},
        {"status": 200, "body": {"deviceKeys": []}},
        {"status": 200, "body": []},
        {"status": 200},
        {"status": "200", "body": {"id": "user-0", "deviceKeys": []}},
        {"status": True, "body": {"id": "user-0", "deviceKeys": []}},
        {"status": 200, "body": {"id": "user-0", "deviceKeys": [], "error": {}}},
    ],
)
def test_an_answer_about_somebody_else_is_nobodys(answer: dict[str, Any]) -> None:
    tenant = Tenant(3)
    tenant.always["user-0"] = answer
    with pytest.raises(CloudError):
        read(tenant)


@pytest.mark.parametrize("body", [b"{}", b'{"responses":[]}', b'{"responses":[{"id":"1","status":200}]}', b"[]"])
def test_a_batch_that_leaves_out_an_answer_is_an_error(body: bytes) -> None:
    tenant = Tenant(3)
    with (
        scripted(lambda request, number: Answer(body) if "$batch" in request.path else tenant(request, number)) as (
            root,
            _,
        ),
        pytest.raises(CloudError),
    ):
        list(source(root).read())


def test_a_user_who_changed_between_the_two_reads_is_nobody_to_match() -> None:
    tenant = Tenant(1)
    other = {**tenant.users["user-0"], "onPremisesSecurityIdentifier": "S-1-5-21-1-2-3-4"}
    tenant.always["user-0"] = {"status": 200, "body": other}
    found = read(tenant)["user-0"]
    assert found.sid is None
    assert isinstance(found.keys, Unknown)


@pytest.mark.parametrize(
    ("share", "slower"), [("0.5", 0), ("0.8", 1), ("1.4", 1), ("nan", 0), ("inf", 0), ("x", 0), ("-1", 0)]
)
def test_the_pace_slackens_before_the_limit(share: str, slower: int) -> None:
    waits: list[float] = []
    headers = {"x-ms-throttle-limit-percentage": share}

    def script(_: Request, number: int) -> Answer:
        first = page([user(1, b"one")], "?$skiptoken=2")
        return Answer(first.body, 200, headers) if number == 0 else page([user(2, b"two")])

    with scripted(script) as (root, _):
        assert len(list(source(root, waits).read())) == 2
    assert len(waits) == slower
