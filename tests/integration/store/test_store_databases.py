"""The store does the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from keytrust.database import writing
from keytrust.database.engine import FROZEN_SECONDS
from keytrust.errors import StoreError
from keytrust.store.database import open_store, store_faults
from keytrust.store.holder import holder_name
from keytrust.store.lease import acquire, holder_of
from keytrust.store.lease import writer as hold
from keytrust.store.row_lease import LIFETIME, RowLease
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import AccountRef, Action, Change

ACCOUNT = AccountRef(b"\1" * 16, "CN=a,DC=x", "S-1-5-21-1-2-3-1000", "a")


def _change(number: int) -> Change:
    return Change(Action.ADD, ACCOUNT, b"B:4:%04X:CN=a,DC=x" % number, bytes(32), "test")


def test_the_journal_keeps_what_it_was_given(database_url: str) -> None:
    journal = Journal(open_store(database_url))
    run = journal.start_run("sync", domain="d", domain_sid="s", server="dc", source="c", operator="o")
    (first, second) = journal.intend(run, "dc", [_change(1), _change(2)])
    journal.conclude(run, [(first, Outcome.CONFIRMED, ""), (second, Outcome.FAILED, "no")])
    journal.finish_run(run, "done")
    assert [entry.outcome for entry in journal.entries(run=run)] == [Outcome.CONFIRMED, Outcome.FAILED]
    assert journal.wrote(ACCOUNT.guid, _change(1).value) == run
    assert journal.wrote(ACCOUNT.guid, _change(2).value) is None
    assert journal.verify()[0] == 4


def test_appends_of_several_processes_make_one_chain(database_url: str) -> None:
    journal = Journal(open_store(database_url))
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(database_url, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert journal.verify()[0] == 3 * 20


def test_rows_cut_off_the_end_of_the_journal_show(database_url: str) -> None:
    engine = open_store(database_url)
    journal = Journal(engine)
    run = journal.start_run("sync", domain="d", domain_sid="s", server="dc", source="c", operator="o")
    journal.intend(run, "dc", [_change(number) for number in range(5)])
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM journal WHERE seq > 3"))
    with pytest.raises(StoreError, match="ends at row 3, and its last row was 5"):
        journal.verify()


def test_who_is_fenced_off_journals_no_intent_and_may_still_say_what_became_of_the_earlier_ones(
    database_url: str,
) -> None:
    deposed = False

    def fence(_: Connection) -> None:
        if deposed:
            raise StoreError("deposed")

    journal = Journal(open_store(database_url), fence)
    run = journal.start_run("sync", domain="d", domain_sid="s", server="dc", source="c", operator="o")
    (first,) = journal.intend(run, "dc", [_change(1)])
    deposed = True
    with pytest.raises(StoreError, match="deposed"):
        journal.intend(run, "dc", [_change(2)])
    journal.conclude(run, [(first, Outcome.CONFIRMED, "")])
    assert journal.verify()[0] == 2


def _append(url: str, number: int) -> None:
    journal = Journal(open_store(url))
    run = journal.start_run(f"r{number}", domain="d", domain_sid="s", server="dc", source="c", operator="o")
    for each in range(20):
        journal.intend(run, "dc", [_change(each)])


def test_one_run_at_a_time(database_url: str) -> None:
    one, two = open_store(database_url), open_store(database_url)
    refused = pytest.raises(StoreError, match="may change the directory")
    with hold(one, "S-1-1", "keytrust sync"), refused, hold(two, "S-1-1", "keytrust sync"):
        pass
    with hold(two, "S-1-1", "keytrust sync"), hold(one, "S-1-2", "keytrust sync"):
        pass


def test_a_writer_that_was_deposed_while_frozen_journals_nothing(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    first = acquire(engine, "S-1-1", "one")
    assert first is not None
    assert acquire(open_store(postgres_url), "S-1-1", "two") is None
    with writing(engine) as connection:  # as if it had been frozen for longer than a lease is good
        connection.execute(text("UPDATE leases SET expires = 0"))
    second = acquire(open_store(postgres_url), "S-1-1", "two")
    assert second is not None
    for lease, may in ((first, False), (second, True)):
        journal = Journal(engine, lease.fence)
        run = journal.start_run("run", domain="d", domain_sid="S-1-1", server="dc", source="c", operator="o")
        if may:
            journal.intend(run, "dc", [_change(1)])
        else:
            with pytest.raises(StoreError, match="no longer the writer"):
                journal.intend(run, "dc", [_change(1)])
    assert not first.renew()
    assert not first.held()
    assert second.renew()
    assert holder_of(engine, "S-1-1") == "two"
    second.release()
    assert holder_of(engine, "S-1-1") is None
    assert journal.verify()[0] == 1


def test_who_is_frozen_in_the_middle_of_a_transaction_is_followed_by_another_soon(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    first = acquire(engine, "S-1-1", "one")
    assert first is not None
    began = time.monotonic()
    second, other = None, open_store(postgres_url)
    thaws = pytest.raises(StoreError, match="failed")
    with thaws, store_faults(engine), writing(engine) as connection:
        first.fence(connection)  # holds a lock on the lease from here on, and then time stands still for it
        while second is None and time.monotonic() < began + 60:
            time.sleep(0.2)
            second = acquire(other, "S-1-1", "two")
        took = time.monotonic() - began
        connection.execute(text("SELECT 1"))
    assert second is not None
    assert second.held()
    assert LIFETIME - 1 < took < 30
    assert not first.held()
    assert not first.renew()


def test_who_is_frozen_in_the_middle_of_sending_a_batch_is_ended_by_who_follows(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL waits for the rest of a batch without a limit, and counts nobody as idle meanwhile."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("socket.gethostname", lambda: "elsewhere")
        engine, holder = open_store(postgres_url), holder_name("keytrust run")
        first = acquire(engine, "S-1-1", holder)
        assert first is not None
        third = acquire(engine, "S-1-2", holder)
        frozen = engine.connect()
        driver: Any = frozen.connection.dbapi_connection
    began = time.monotonic()
    second, other = None, open_store(postgres_url)
    with pytest.raises(psycopg.OperationalError), driver.pipeline():
        driver.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{FROZEN_SECONDS}s'")
        driver.execute("SELECT epoch FROM leases FOR KEY SHARE")
        driver.pgconn.send_flush_request()
        driver.pgconn.flush()
        while second is None and time.monotonic() < began + 60:
            time.sleep(0.2)
            second = acquire(other, "S-1-1", holder_name("keytrust run"))
    assert second is not None
    assert second.held()
    assert first.renew() is False
    assert third is not None
    assert third.renew()  # with a new session
    frozen.invalidate()


def test_who_stands_by_and_is_frozen_does_not_hinder_the_holder(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    first = acquire(engine, "S-1-1", "one")
    assert first is not None
    other, said = open_store(postgres_url), list[str]()
    event.listen(other, "before_cursor_execute", lambda *given: said.append(given[2].upper()))
    assert acquire(other, "S-1-1", "two") is None
    assert said
    assert not [each for each in said if "INSERT" in each or "UPDATE" in each]  # so that it holds no lock anywhere


def test_a_database_whose_clock_was_put_back_an_hour_keeps_nobody_waiting(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    first = acquire(engine, "S-1-1", "one")
    assert first is not None
    with writing(engine) as connection:
        connection.execute(text("UPDATE leases SET expires = expires + 3600"))
    second = acquire(open_store(postgres_url), "S-1-1", "two")
    assert second is not None
    with pytest.raises(StoreError, match="no longer the writer"), writing(engine) as connection:
        first.fence(connection)
    assert acquire(engine, "S-1-1", "three") is None


def test_a_holder_whose_renewals_fail_stops_a_little_before_another_can_begin(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    assert acquire(engine, "S-1-1", "one") is not None
    clock = 1000.0
    lease = RowLease(engine, "S-1-1", 1, now=lambda: clock)
    assert lease.renew()
    clock += LIFETIME - 1.0
    assert lease.held()
    clock += 0.75
    assert not lease.held()
    assert acquire(open_store(postgres_url), "S-1-1", "two") is None
