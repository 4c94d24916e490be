"""The audit trail as a trigger: no entry is passed over, whenever it appears, and each says only of whom to ask."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_graph import Answer, FixedToken, Request, page, patient, scripted, user

from keytrust.cloud import key_audits
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.key_audits import ADDED, DELETED, KeyAudits
from keytrust.errors import CloudError

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass
class Trail:
    """A service with an audit trail, newest first, in pages of two."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    delta: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "somebody"}])
    status: int = 200
    asked: int = 0

    def add(self, name: str, at: datetime, activity: str = ADDED, **more: Any) -> None:
        target = {"id": name, "type": "User"}
        time = at.isoformat().replace("+00:00", "Z")
        number = len(self.entries)
        made = {"id": f"entry-{number}", "activityDateTime": time, "activityDisplayName": activity}
        self.entries.append({**made, "targetResources": [target], **more})

    def __call__(self, request: Request, _number: int) -> Answer:
        url = urlsplit(request.path)
        if url.path == "/beta/users/delta":
            return page(self.delta)
        assert url.path == "/v1.0/auditLogs/directoryAudits"
        self.asked += 1
        if self.status != httpx.codes.OK:
            return Answer(status=self.status)
        query = parse_qs(url.query)
        since, _, activity = query["$filter"][0].removeprefix("activityDateTime ge ").partition(" and ")
        found = [
            each
            for each in sorted(self.entries, key=lambda each: str(each["activityDateTime"]), reverse=True)
            if str(each["activityDateTime"]) >= since[:19] and f"'{each['activityDisplayName']}'" in activity
        ]
        skip = int(query.get("$skiptoken", ["0"])[0])
        more = (
            f"{request.path.partition('&%24skiptoken')[0]}&%24skiptoken={skip + 2}" if len(found) > skip + 2 else None
        )
        return page(found[skip : skip + 2], more)


def audits_of(url: str) -> KeyAudits:
    made = GraphSource(url, FixedToken(), retry=patient()).key_audits()
    made._since = START - timedelta(hours=1)
    return made


late = st.integers(0, 14)
rounds = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), late, st.sampled_from((ADDED, DELETED)), st.booleans()), max_size=6
    ),
    max_size=4,
)


@given(rounds, st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_entry_is_told_once_it_is_there_and_not_again_when_it_was_taken(
    given_rounds: list[list[tuple[str, int, str, bool]]], whole: bool
) -> None:
    trail, at = Trail(), START
    with scripted(trail) as (url, _), pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_audits, "_WHOLE_SECONDS", -1.0 if whole else 1e9)
        audits, owed = audits_of(url), set[str]()
        for number, entries in enumerate(given_rounds):
            at += timedelta(minutes=1)
            for name, minutes, activity, _ in entries:
                # When only the top is looked through, entries come in the order of their times.
                trail.add(name, at - timedelta(minutes=minutes) if whole else at + timedelta(seconds=number), activity)
                at += timedelta(seconds=0 if whole else 1)
                owed.add(name)
            assert audits.changed() == owed
            if not entries or entries[0][3]:  # else it could not be kept, and is told again
                audits.taken()
                owed = set()
        audits.taken()
        assert audits.changed() == frozenset()


def test_entries_that_are_late_are_found_when_all_is_looked_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trail = Trail()
    for number in range(6):
        trail.add(f"user-{number}", START + timedelta(minutes=number))
    with scripted(trail) as (url, _):
        audits = audits_of(url)
        audits.changed()
        audits.taken()
        trail.add("late", START - timedelta(minutes=5))
        monkeypatch.setattr(key_audits, "_WHOLE_SECONDS", -1.0)
        assert audits.changed() == {"late"}


def test_where_delta_shows_keys_the_trail_is_not_asked_for() -> None:
    trail = Trail(delta=[user(1)])
    trail.add("somebody", START)
    with scripted(trail) as (url, _):
        assert audits_of(url).changed() == frozenset()
    assert trail.asked == 0


@pytest.mark.parametrize(
    "damage",
    [
        {"targetResources": None},
        {"targetResources": [None, 3, {"type": "User", "id": "bad\u202eid"}, {"type": "Device", "id": "d"}]},
        {"targetResources": {"id": "x"}},
        {"activityDateTime": "yesterday"},
        {"id": None},
        {"id": "x" * 300},
    ],
)
def test_a_damaged_entry_tells_of_nobody_and_hides_nobody_else(damage: dict[str, Any]) -> None:
    trail = Trail()
    trail.add("damaged", START)
    trail.entries[0] |= damage
    trail.add("well", START + timedelta(minutes=1))
    with scripted(trail) as (url, _):
        assert audits_of(url).changed() == {"well"}


def test_of_an_entry_without_a_user_as_its_target_the_one_who_did_it_is_asked() -> None:
    trail = Trail()
    trail.add("", START, targetResources=[{"id": "a", "type": "Device"}], initiatedBy={"user": {"id": "who"}})
    with scripted(trail) as (url, _):
        assert audits_of(url).changed() == {"who"}


def test_what_has_to_be_granted_is_said() -> None:
    with scripted(Trail(status=403)) as (url, _), pytest.raises(CloudError, match="may not be read") as caught:
        audits_of(url).changed()
    assert "AuditLog.Read.All" in caught.value.remedy


def test_a_service_that_refuses_to_select_keys_of_many_users_is_asked_for_each_of_them() -> None:
    people = {f"user-{number}": user(number, b"material") for number in range(3)}

    def refusing(request: Request, _number: int) -> Answer:
        if request.path.startswith("/beta/$batch"):
            asked = [
                (each["id"], each["url"].split("?")[0].rpartition("/")[2])
                for each in json.loads(request.body)["requests"]
            ]
            bodies = [{"id": number, "status": 200, "body": people[name]} for number, name in asked]
            return Answer(json.dumps({"responses": bodies}).encode())
        if "deviceKeys" in request.path:
            return Answer(status=400)
        bare = [{name: value for name, value in each.items() if name != "deviceKeys"} for each in people.values()]
        more = {"@odata.deltaLink": "/beta/users/delta?$deltatoken=1"} if "/delta" in request.path else {}
        return page(bare, **more)

    with scripted(refusing) as (url, _):
        source = GraphSource(url, FixedToken(), retry=patient())
        read, changes = list(source.read()), source.changes()
        assert source.latest()
    assert [len(each.keys.keys) for each in (*read, *changes.users)] == [1] * 6


def test_a_user_whom_the_service_will_not_tell_of_hinders_no_other() -> None:
    def one_refused(request: Request, _number: int) -> Answer:
        answers: list[dict[str, Any]] = []
        for each in json.loads(request.body)["requests"]:
            name = each["url"].split("?")[0].rpartition("/")[2]
            body = {"status": 403} if name == "user-1" else {"status": 200, "body": user(2, b"material")}
            answers.append({"id": each["id"], **body})
        return Answer(json.dumps({"responses": answers}).encode())

    with scripted(one_refused) as (url, _):
        found = GraphSource(url, FixedToken(), retry=patient()).now(["user-1", "user-2"])
    assert [each.id for each in found.users] == ["user-2"]
    assert not found.removed
