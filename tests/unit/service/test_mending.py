"""What replication has lost is made again where it is missing, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.support.directory import MemoryDirectory
from tests.support.worker_site import Site
from tests.support.world import account, guid, key, value

from keytrust.directory.session import Answer, Verdict
from keytrust.service import mending
from keytrust.service.mending import TRIES, Mending, still_missing
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.replication import Written

DC1, DC2 = "dc1.corp.example", "dc2.corp.example"


def written(name: str, number: int, action: Action = Action.ADD) -> Written:
    return Written(AccountRef.of(account(name)), key(number).key_id, action, DC1, 0.0)


class Forest(Site):
    """Two domain controllers; what the worker writes at the first does not come to the second."""

    def __init__(self, store: Engine) -> None:
        super().__init__(store, "alice", "bob")
        self.other = MemoryDirectory(account("alice"), account("bob"))
        self.link.others = {DC1: self.directory, DC2: self.other}
        self.seconds = 0.0
        self.mending = self.worker.mending = Mending(
            self.duty, self.link, Journal(store, self.duty.lease.fence), lambda: self.seconds
        )

    def there(self, name: str) -> list[bytes]:
        return self.other.values[guid(name)]


@pytest.fixture
def forest(tmp_path: Path) -> Forest:
    made = Forest(open_store(f"sqlite:///{tmp_path}/keytrust.db"))
    made.register("alice", 1)
    made.settle()
    assert made.values("alice") == 1
    return made


def test_a_lost_key_is_made_again_as_it_is_journaled_and_told(forest: Forest) -> None:
    forest.mending.take(DC2, [written("alice", 1)])
    assert forest.there("alice") == []
    forest.worker.work()
    assert forest.there("alice") == forest.directory.values[guid("alice")], "the same value, so that they become one"
    assert forest.there("bob") == []
    (event,) = forest.told.of("made-again")
    assert event.account is not None
    assert (event.account.name, event.data["server"], event.data["origin"]) == ("alice", DC2, DC1)
    (entry,) = Journal(forest.duty.store).entries(run=event.data["run"])
    assert entry.outcome is Outcome.CONFIRMED
    assert "replication" in entry.change.reason
    forest.worker.work()
    assert len(forest.told.of("made-again")) == 1


def test_a_lost_removal_is_made_again(forest: Forest) -> None:
    forest.other.values[guid("alice")] = list(forest.directory.values[guid("alice")])
    forest.register("alice")
    forest.settle()
    assert forest.values("alice") == 0
    forest.mending.take(DC2, [written("alice", 1, Action.REMOVE)])
    forest.worker.work()
    assert forest.there("alice") == []


def test_what_was_undone_meanwhile_stays_undone(forest: Forest) -> None:
    forest.directory.values[guid("alice")].clear()
    forest.mending.take(DC2, [written("alice", 1)])
    forest.mending.work()
    assert forest.there("alice") == []


def test_what_has_come_meanwhile_is_left_alone(forest: Forest) -> None:
    forest.other.values[guid("alice")] = list(forest.directory.values[guid("alice")])
    forest.mending.take(DC2, [written("alice", 1)])
    forest.mending.work()
    assert forest.other.sent == []


def test_a_value_of_somebody_else_is_neither_added_nor_removed() -> None:
    theirs = value("alice", 1)
    holding, empty = {guid("alice"): [theirs]}, {guid("alice"): list[bytes]()}

    def nothing(_guid: bytes, _values: object) -> dict[bytes, str]:
        return {}

    for change, origin, host in (
        (written("alice", 1), holding, empty),
        (written("alice", 1, Action.REMOVE), empty, holding),
    ):
        assert still_missing([change], origin, host, DC2, nothing) == []
        found = still_missing([change], origin, host, DC2, lambda _, values: dict.fromkeys(values, "run"))
        assert [type(each) for each in found] == [Change]


def test_an_account_that_one_of_them_does_not_know_is_left_alone(forest: Forest) -> None:
    forest.other.remove_account(guid("alice"))
    forest.mending.take(DC2, [written("alice", 1)])
    forest.mending.work()
    assert forest.other.sent == []
    assert forest.told.of("not-replicated") == []


def test_a_controller_that_cannot_be_reached_is_tried_again_and_holds_up_nobody(forest: Forest) -> None:
    forest.other.writers_refused = 2
    forest.mending.take(DC2, [written("alice", 1)])
    forest.worker.work()
    forest.register("bob", 2)
    forest.settle()
    assert forest.values("bob") == 1
    for _ in range(10):
        forest.seconds += mending.PAUSE
        forest.worker.work()
    assert len(forest.there("alice")) == 1
    assert forest.told.of("not-replicated") == []


def test_one_that_can_never_be_reached_is_told_and_given_up(forest: Forest) -> None:
    forest.other.writers_refused = 1000
    forest.mending.take(DC2, [written("alice", 1)])
    for _ in range(TRIES * TRIES):
        forest.worker.work()
        forest.seconds += mending.PAUSE
    assert 1000 - forest.other.writers_refused == TRIES
    (event,) = forest.told.of("not-replicated")
    assert event.data["server"] == DC2
    assert "alice" in event.sentence


def test_a_refusal_is_told_with_its_cause(forest: Forest) -> None:
    forest.other.fault = lambda _: Answer(None, Verdict.REFUSED, "unwilling")
    forest.mending.take(DC2, [written("alice", 1)])
    for _ in range(TRIES * TRIES):
        forest.worker.work()
        forest.seconds += mending.PAUSE
    (event,) = forest.told.of("not-replicated")
    assert "unwilling" in event.sentence
    assert forest.there("alice") == []


def test_who_is_told_to_stop_begins_nothing(forest: Forest) -> None:
    forest.mending.take(DC2, [written("alice", 1)])
    forest.duty.stop.set()
    forest.mending.work()
    assert forest.other.sent == []


def test_a_fault_of_the_store_forgets_nothing(forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    forest.mending.take(DC2, [written("alice", 1)])

    def fails(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(mending, "carry_out", fails)
        with pytest.raises(OSError, match="disk full"):
            forest.mending.work()
    forest.mending.work()
    assert len(forest.there("alice")) == 1
