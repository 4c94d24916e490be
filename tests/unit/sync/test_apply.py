"""Carrying out changes: journal first, read back, and what happens when things break on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from tests.support.directory import MemoryDirectory
from tests.support.world import account, dn, guid, material, sid, value

from keytrust.directory.session import Answer, Verdict
from keytrust.errors import StoreError
from keytrust.store.database import open_store
from keytrust.store.lease import writer
from keytrust.sync.apply import ATTEMPTS, apply_changes
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.report import RunReport
from keytrust.sync.undo import plan_undo


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield engine
    engine.dispose()


@pytest.fixture
def journal(store: Engine) -> Journal:
    return Journal(store)


def start(journal: Journal, kind: str = "sync") -> str:
    return journal.start_run(
        kind, domain="corp.example", domain_sid="S-1-5-21-1-2-3", server="dc1", source="test", operator="tests"
    )


def add(name: str, number: int) -> Change:
    raw = value(name, number)
    return Change(Action.ADD, AccountRef(guid(name), dn(name), sid(name), name), raw, b"k" * 32, "test")


def remove(name: str, raw: bytes) -> Change:
    return Change(Action.REMOVE, AccountRef(guid(name), dn(name), sid(name), name), raw, b"k" * 32, "test")


def carry_out(changes: list[Change], directory: MemoryDirectory, journal: Journal, run: str = "") -> RunReport:
    return apply_changes(
        changes, directory=directory, journal=journal, run=run or start(journal), in_flight=8, sleep=lambda _: None
    )


def population(count: int) -> tuple[MemoryDirectory, list[Change]]:
    names = [f"user{n}" for n in range(count)]
    return MemoryDirectory(*(account(name) for name in names)), [add(name, n % 5) for n, name in enumerate(names)]


def test_every_change_is_made_confirmed_and_journaled(journal: Journal) -> None:
    directory, changes = population(200)
    report = carry_out(changes, directory, journal)
    assert report.complete
    assert directory.values == {change.account.guid: [change.value] for change in changes}
    assert [entry.outcome for entry in journal.entries(run=report.run)] == [Outcome.CONFIRMED] * 200
    assert directory.max_in_flight == 8


def test_a_value_that_another_writer_adds_meanwhile_survives(journal: Journal) -> None:
    """Rule 1: we never replace the attribute."""
    theirs = value("alice", 2)
    ours = value("alice", 1)
    directory = MemoryDirectory(account("alice", ours))
    directory.before_change = lambda _: directory.values[guid("alice")].append(theirs)
    carry_out([remove("alice", ours)], directory, journal)
    assert directory.values[guid("alice")] == [theirs]


def test_no_change_is_sent_before_its_intent_is_in_the_journal(journal: Journal) -> None:
    """Rule 5, observed from a second connection at the moment of each change."""
    directory, changes = population(150)
    missing: list[int] = []

    def look(number: int) -> None:
        sent = directory.sent[number]
        known = {(e.change.account.guid, e.change.value) for e in journal.entries(guid=sent[1])}
        if (sent[1], sent[2]) not in known:
            missing.append(number)

    directory.before_change = look
    carry_out(changes, directory, journal)
    assert len(directory.sent) == 150
    assert missing == []


def test_when_the_journal_cannot_be_written_nothing_more_is_sent(journal: Journal, store: Engine) -> None:
    directory, changes = population(400)

    def break_store(number: int) -> None:
        if number == 30:
            with store.begin() as connection:
                connection.execute(text("ALTER TABLE journal RENAME TO gone"))

    directory.before_change = break_store
    with pytest.raises(StoreError, match="failed"):
        carry_out(changes, directory, journal)
    assert len(directory.sent) <= 65 + 8


def test_a_directory_that_does_not_show_what_it_took_stops_the_run_after_one_change(journal: Journal) -> None:
    """Rule 6: and the first change travels alone."""
    directory, changes = population(50)
    directory.blind = True
    report = carry_out(changes, directory, journal)
    assert len(directory.sent) == 1
    assert "not seen when read back" in report.stopped_because
    assert report.count(Outcome.UNCONFIRMED) == 1
    assert report.count(Outcome.NOT_SENT) == 49


def test_a_lack_of_rights_everywhere_stops_the_run_early(journal: Journal) -> None:
    directory, changes = population(50)
    directory.fault = lambda _: Answer(0, Verdict.REFUSED, "access denied", denied=True)
    report = carry_out(changes, directory, journal)
    assert len(directory.sent) == 3
    assert "lacks the right" in report.stopped_because


def test_one_denied_account_does_not_block_the_others(journal: Journal) -> None:
    directory, changes = population(50)
    directory.fault = lambda n: Answer(0, Verdict.REFUSED, "access denied", denied=True) if n in (0, 7) else None
    report = carry_out(changes, directory, journal)
    assert (report.count(Outcome.CONFIRMED), report.count(Outcome.FAILED)) == (48, 2)
    assert not report.stopped_because


@pytest.mark.parametrize("lost_after", [True, False], ids=["after-it-took-effect", "before-it-took-effect"])
@pytest.mark.parametrize("moment", [0, 1, 20, 99])
def test_a_lost_connection_loses_nothing_and_writes_nothing_twice(
    journal: Journal, moment: int, lost_after: bool
) -> None:
    directory, changes = population(100)
    directory.lost_after = lost_after
    directory.fault = lambda n: Answer(None, Verdict.LOST, "cut") if n == moment else None
    report = carry_out(changes, directory, journal)
    assert report.complete
    assert directory.values == {change.account.guid: [change.value] for change in changes}


def test_a_directory_that_stays_away_ends_the_run_and_says_what_was_not_sent(journal: Journal) -> None:
    directory, changes = population(100)

    def die(number: int) -> Answer | None:
        if number < 40:
            return None
        directory.writers_refused = 1000
        return Answer(None, Verdict.LOST, "cut")

    directory.fault = die
    report = carry_out(changes, directory, journal)
    assert report.count(Outcome.CONFIRMED) == 40
    assert "could not be had again" in report.stopped_because
    assert report.count(Outcome.NOT_SENT) == 100 - 40 - 8
    open_ends = [entry for entry in journal.entries(run=report.run) if entry.outcome is None]
    assert len(open_ends) == 8, "what was in flight has no outcome, for nobody knows it"


def test_a_busy_server_is_asked_again_but_not_for_ever(journal: Journal) -> None:
    directory, changes = population(3)
    busy_for = {changes[1].account.guid: 2, changes[2].account.guid: 1000}

    def busy(number: int) -> Answer | None:
        which = directory.sent[number][1]
        busy_for[which] = busy_for.get(which, 0) - 1
        return Answer(0, Verdict.BUSY, "busy") if busy_for[which] >= 0 else None

    directory.fault = busy
    report = carry_out(changes, directory, journal)
    assert [result.outcome for result in report.results] == [Outcome.CONFIRMED, Outcome.CONFIRMED, Outcome.FAILED]
    assert f"gave up after {ATTEMPTS}" in report.results[2].detail


def test_a_killed_run_leaves_intents_that_count_as_possibly_ours(journal: Journal) -> None:
    run = start(journal)
    change = add("alice", 1)
    journal.intend(run, "dc1", [change])
    assert journal.wrote(guid("alice"), change.value) == run
    assert journal.wrote(guid("bob"), change.value) is None


def test_a_refused_change_is_not_ours(journal: Journal) -> None:
    run = start(journal)
    change = add("alice", 1)
    (seq,) = journal.intend(run, "dc1", [change])
    journal.conclude(run, [(seq, Outcome.FAILED, "access denied")])
    assert journal.wrote(guid("alice"), change.value) is None


def test_a_renamed_account_still_holds_our_value(journal: Journal) -> None:
    run = start(journal)
    change = add("alice", 1)
    journal.intend(run, "dc1", [change])
    renamed = change.value.replace(b"CN=alice", b"CN=alice smith")
    assert journal.wrote(guid("alice"), renamed) == run


class TestUndo:
    def test_undo_restores_every_value_as_it_was(self, journal: Journal) -> None:
        kept, doomed = value("alice", 2), value("alice", 3)
        directory = MemoryDirectory(account("alice", kept, doomed), account("bob"))
        before = {each: list(values) for each, values in directory.values.items()}
        run = carry_out([add("alice", 1), add("bob", 4), remove("alice", doomed)], directory, journal).run
        assert directory.values != before
        undo = plan_undo(journal.entries(run=run), {a.guid: a for a in directory.accounts()})
        report = carry_out(list(undo.changes), directory, journal, start(journal, "undo"))
        assert report.complete
        assert {g: sorted(v) for g, v in directory.values.items()} == {g: sorted(v) for g, v in before.items()}

        again = plan_undo(journal.entries(run=report.run), {a.guid: a for a in directory.accounts()})
        carry_out(list(again.changes), directory, journal)
        assert doomed not in directory.values[guid("alice")]
        assert len(directory.values[guid("bob")]) == 1

    def test_what_somebody_else_changed_since_is_a_conflict_and_the_rest_goes_on(self, journal: Journal) -> None:
        directory = MemoryDirectory(account("alice"), account("bob"), account("carol"))
        run = carry_out([add("alice", 1), add("bob", 2), add("carol", 3)], directory, journal).run
        directory.values[guid("alice")].clear()
        directory.remove_account(guid("carol"))
        undo = plan_undo(journal.entries(run=run), {a.guid: a for a in directory.accounts()})
        assert [change.account.name for change in undo.changes] == ["bob"]
        assert sorted(sentence.split(":")[0] for sentence in undo.conflicts) == ["alice", "carol"]

    def test_a_removed_value_comes_back_under_the_accounts_present_name(self, journal: Journal) -> None:
        stored = value("alice", 1)
        directory = MemoryDirectory(account("alice", stored))
        run = carry_out([remove("alice", stored)], directory, journal).run
        moved = account("alice", dn="CN=Alice Smith,OU=Other,DC=corp,DC=example")
        (change,) = plan_undo(journal.entries(run=run), {moved.guid: moved}).changes
        assert change.value == stored.replace(dn("alice").encode(), moved.dn.encode())

    def test_failed_and_unsent_changes_are_not_undone(self, journal: Journal) -> None:
        directory, changes = population(4)
        directory.fault = lambda n: Answer(0, Verdict.REFUSED, "no") if n == 1 else None
        run = carry_out(changes, directory, journal).run
        undo = plan_undo(journal.entries(run=run), {a.guid: a for a in directory.accounts()})
        assert len(undo.changes) == 3


class TestJournal:
    def test_the_chain_shows_a_changed_row_and_a_missing_row(self, journal: Journal, store: Engine) -> None:
        directory, changes = population(5)
        carry_out(changes, directory, journal)
        rows, head = journal.verify()
        assert (rows, len(head)) == (10, 32)
        for damage in (
            "UPDATE journal SET name = 'eve' WHERE seq = 3",
            "UPDATE journal SET digest = x'00' WHERE seq = 10",
            "DELETE FROM journal WHERE seq = 4",
        ):
            with store.connect() as connection:
                connection.execute(text(damage))
                connection.commit()
            with pytest.raises(StoreError, match="does not verify at row"):
                journal.verify()

    def test_the_store_is_for_its_owner_only(self, journal: Journal, store: Engine) -> None:
        assert Path(str(store.url.database)).stat().st_mode & 0o077 == 0

    def test_two_runs_never_change_the_directory_at_once(self, store: Engine) -> None:
        with writer(store, "S-1", "keytrust sync"):
            other = open_store(str(store.url))
            with pytest.raises(StoreError, match="may change the directory"), writer(other, "S-1", "keytrust sync"):
                pass
            other.dispose()
        with writer(store, "S-1", "keytrust sync"):
            pass

    def test_appends_from_two_processes_keep_one_chain(self, journal: Journal, store: Engine) -> None:
        other = Journal(open_store(str(store.url)))
        first, second = start(journal), start(other)
        for number in range(10):
            journal.intend(first, "dc1", [add("alice", number % 3)])
            other.intend(second, "dc1", [add("bob", number % 3)])
        assert journal.verify()[0] == 20

    def test_raw_values_of_any_bytes_come_back_as_they_were(self, journal: Journal) -> None:
        raw = b"B:4:\xff\x00:odd\x80name"
        run = start(journal)
        journal.intend(run, "dc1", [remove("alice", raw)])
        assert journal.entries(run=run)[0].change.value == raw


def test_keys_of_the_test_world_differ() -> None:
    assert len({material(n) for n in range(5)}) == 5


def test_who_was_frozen_while_the_journal_was_written_sends_nothing_of_what_it_holds(journal: Journal) -> None:
    directory, changes = population(20)
    deposed = False

    class Frozen(Journal):
        def intend(self, run: str, server: str, changes: Sequence[Change]) -> list[int]:
            nonlocal deposed
            taken = super().intend(run, server, changes)
            deposed = (
                len(changes) > 1
            )  # the first change travels alone; it is in the second commit that time stands still
            return taken

    frozen = Frozen(journal._engine)
    run = start(journal)
    report = apply_changes(
        changes, directory=directory, journal=frozen, run=run, told_to_stop=lambda: deposed, sleep=lambda _: None
    )
    assert len(directory.sent) == 1
    assert report.count(Outcome.NOT_SENT) == 19
    assert report.stopped_because == "it was told to stop"
    assert {entry.outcome for entry in journal.entries(run)} == {Outcome.CONFIRMED, Outcome.NOT_SENT}


def test_who_loses_the_lease_between_two_changes_sends_not_the_second(journal: Journal) -> None:
    directory, changes = population(20)
    asked = 0

    def lost() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    report = apply_changes(
        changes, directory=directory, journal=journal, run=start(journal), told_to_stop=lost, sleep=lambda _: None
    )
    assert 1 < len(directory.sent) < 20
    assert len(directory.sent) + report.count(Outcome.NOT_SENT) == 20


def test_a_directory_that_is_gone_keeps_nobody_who_is_told_to_stop(journal: Journal) -> None:
    directory, changes = population(5)
    told = False

    def gone(_: int) -> Answer:
        nonlocal told
        told = True
        directory.writers_refused = 100
        return Answer(None, Verdict.LOST, "gone")

    directory.fault = gone
    report = apply_changes(
        changes, directory=directory, journal=journal, run=start(journal), told_to_stop=lambda: told, sleep=pytest.fail
    )
    assert directory.writers_refused == 99
    assert report.count(Outcome.UNCONFIRMED) == 1
