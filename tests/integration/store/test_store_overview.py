"""How a domain fares, and what the service has to do with an account, read from either kind of store."""

from __future__ import annotations

import time

import pytest
from tests.support.memory_link import SID, MemorySource, duty
from tests.support.world import account

from keytrust.database import writing
from keytrust.errors import StoreError
from keytrust.explain.model import State
from keytrust.explain.service_link import service_links
from keytrust.service.control import TriedAgain, set_paused, try_again
from keytrust.service.findings import Finding, replace
from keytrust.service.overview import read_overview
from keytrust.service.overview_text import headline
from keytrust.service.state import DomainState
from keytrust.service.worklist import Priority
from keytrust.store.database import open_store
from keytrust.sync.model import AccountRef, RefusalCode

ALICE, BOB, CAROL, DAVE = (AccountRef.of(account(name)) for name in ("alice", "bob", "carol", "dave"))


def test_everything_that_a_person_should_see_is_told(database_url: str) -> None:
    store = open_store(database_url)
    assert read_overview(store) == []
    assert service_links(store, SID, ALICE.guid) == ()
    made, _ = duty(store, MemorySource())
    now = 1_800_000_000.0
    state = DomainState(feeds={"cloud": {"failures": 2, "fault": "It answered 503.", "age": None}})
    with writing(store) as connection:
        made.worklist.add(connection, [ALICE.guid, BOB.guid], now - 5, Priority.CHANGE)
        made.worklist.add(connection, [CAROL.guid], now - 9, Priority.REMOVAL)
        (entry,) = [e for e in made.worklist.due(connection, now, 9) if e.guid == BOB.guid]
        made.worklist.set_aside(connection, entry, "bob", "access denied", now)
        made.worklist.hold_removals(connection, now + 900, "too many")
        replace(connection, made.mirror, [DAVE.guid], [Finding("sid-differs", DAVE, b"", "dave: the SID differs.")])
        made.mirror.save(connection, state=state.to_json())
    (seen,) = read_overview(store, now)
    assert (seen.waiting, seen.set_aside_count, seen.held_count) == (1, 1, 1)
    assert (seen.held_because, seen.finding_count) == ("too many", {"sid-differs": 1})
    assert [(each.name, each.reason, each.attempts) for each in seen.set_aside] == [("bob", "access denied", 1)]
    assert seen.findings[0].sentence == "dave: the SID differs."
    assert seen.holder is not None
    told = " ".join(seen.trouble)
    for words in ("It answered 503.", "1 account: too many", "1 account set aside", "1 conflict"):
        assert words in told
    (live,) = read_overview(store)
    assert live.alive
    assert headline(live)[0] == "in trouble"
    made.lease.release()
    (left,) = read_overview(store)
    assert headline(left)[0] == "not running"
    store.dispose()


def test_what_the_service_has_to_do_with_an_account_is_told(database_url: str) -> None:
    store = open_store(database_url)
    made, _ = duty(store, MemorySource())

    def link(ref: AccountRef) -> tuple[State, str]:
        (found,) = service_links(store, SID, ref.guid)
        return found.state, found.sentence

    assert link(ALICE)[0] is State.CANNOT_TELL, "it has told nothing yet"
    with writing(store) as connection:
        made.mirror.save(connection, state=DomainState().to_json())
        made.worklist.add(connection, [BOB.guid], 5.0, Priority.CHANGE)
    assert link(ALICE) == (State.OK, link(ALICE)[1])
    assert "on its list" in link(BOB)[1]
    with writing(store) as connection:
        (entry,) = made.worklist.due(connection, time.time(), 9)
        made.worklist.set_aside(connection, entry, "bob", "access denied", time.time())
        vanishing = Finding(RefusalCode.VANISHING.value, CAROL, b"k" * 32, "carol: the key does not last.")
        replace(connection, made.mirror, [CAROL.guid], [vanishing])
    assert link(BOB)[0] is State.PROBLEM
    assert "access denied" in link(BOB)[1]
    assert try_again(store, None) == TriedAgain("corp.example", resting=1, vanishing=1)
    assert try_again(store, "CORP.example.") == TriedAgain("corp.example", resting=0, vanishing=1)
    with made.reading() as connection:
        due = made.worklist.due(connection, time.time(), 9)
    assert {entry.guid: entry.attempts for entry in due} == {BOB.guid: 1, CAROL.guid: 0}
    with pytest.raises(StoreError, match="has not worked on a domain other"):
        try_again(store, "other.example")
    assert link(CAROL) == (State.PROBLEM, "carol: the key does not last.")
    set_paused(store, None, paused=True)
    assert "paused" in link(ALICE)[1]
    made.lease.release()
    store.dispose()
