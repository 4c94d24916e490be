"""Going on at another domain controller that has heard nothing yet of what was done at the first."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.directory import MemoryDirectory, MemoryWriter
from tests.support.world import account, dn, guid, sid, value

from keytrust.directory.session import Answer, Verdict
from keytrust.errors import DirectoryError
from keytrust.store.database import open_store
from keytrust.sync.apply import apply_changes
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.report import RunReport


class TwoServers:
    """Two domain controllers between which nothing is replicated. The first dies at its n-th change, for good."""

    def __init__(self, first: MemoryDirectory, second: MemoryDirectory, dies_at: int) -> None:
        self.by_name = {"dc1": first, "dc2": second}
        self.dead = False

        def die(number: int) -> Answer | None:
            if number < dies_at:
                return None
            self.dead = True
            return Answer(None, Verdict.LOST, "killed")

        first.fault = die

    def writer(self) -> MemoryWriter:
        name = "dc2" if self.dead else "dc1"
        made = self.by_name[name].writer()
        made.server = name
        return made

    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]:
        if server == "dc1" and self.dead:
            raise DirectoryError("dc1 is dead")
        return self.by_name[server or "dc1"].values_of(guids)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(open_store(f"sqlite:///{tmp_path}/keytrust.db"))


def change(action: Action, name: str, raw: bytes) -> Change:
    return Change(action, AccountRef(guid(name), dn(name), sid(name), name), raw, b"k" * 32, "test")


def carry_out(changes: list[Change], directory: TwoServers, journal: Journal) -> RunReport:
    run = journal.start_run("sync", domain="d", domain_sid="s", server="dc1", source="t", operator="t")
    return apply_changes(changes, directory=directory, journal=journal, run=run, in_flight=8, sleep=lambda _: None)


@pytest.mark.parametrize("dies_at", [0, 1, 2, 60, 130, 199])
def test_everything_is_at_the_second_one_should_the_first_never_come_back(journal: Journal, dies_at: int) -> None:
    names = [f"user{number}" for number in range(200)]
    accounts = [account(name) for name in names]
    first, second = MemoryDirectory(*accounts), MemoryDirectory(*accounts)
    changes = [change(Action.ADD, name, value(name, number % 5)) for number, name in enumerate(names)]
    report = carry_out(changes, TwoServers(first, second, dies_at), journal)
    assert report.complete, report.stopped_because
    assert second.values == {each.account.guid: [each.value] for each in changes}
    entries = journal.entries(run=report.run)
    assert [entry.outcome for entry in entries] == [Outcome.CONFIRMED] * 200
    assert len(entries) == 200, "each change has one intent, however often it was sent"
    assert journal.verify()[0] == 400
    assert any("went on at dc2" in note for note in report.notes)
    for result in report.results:
        there = {"dc1": first, "dc2": second}[result.server]
        assert result.change.value in there.values[result.change.account.guid], "confirmed where the report says"


def test_a_removal_of_what_has_not_arrived_is_not_called_done(journal: Journal) -> None:
    """It would come back when the first one does: the value is on that one only."""
    old = value("alice", 1)
    first = MemoryDirectory(account("alice", old), account("bob"))
    second = MemoryDirectory(account("alice"), account("bob"))
    changes = [change(Action.ADD, "bob", value("bob", 2)), change(Action.REMOVE, "alice", old)]
    report = carry_out(changes, TwoServers(first, second, 1), journal)
    assert [result.outcome for result in report.results] == [Outcome.CONFIRMED, Outcome.UNCONFIRMED]
    assert "may not have arrived" in report.results[1].detail
    assert not report.complete


def test_a_removal_that_was_done_at_the_first_is_done_at_the_second(journal: Journal) -> None:
    old = value("alice", 1)
    both = (account("alice", old), account("bob"))
    first, second = MemoryDirectory(*both), MemoryDirectory(*both)
    changes = [change(Action.REMOVE, "alice", old), change(Action.ADD, "bob", value("bob", 2))]
    report = carry_out(changes, TwoServers(first, second, 1), journal)
    assert report.complete
    assert second.values == {guid("alice"): [], guid("bob"): [changes[1].value]}


def test_an_account_the_second_one_has_not_heard_of_is_told_apart(journal: Journal) -> None:
    first, second = MemoryDirectory(account("alice"), account("new")), MemoryDirectory(account("alice"))
    changes = [change(Action.ADD, name, value(name, 1)) for name in ("alice", "new")]
    report = carry_out(changes, TwoServers(first, second, 1), journal)
    assert report.results[1].outcome is Outcome.FAILED
    assert "may not know of it yet" in report.results[1].detail
