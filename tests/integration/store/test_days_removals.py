"""How many removals count for a day's limit: those that were made, and those that may have been."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.world import account, key, value

from keytrust.service.journal_queries import removals_since
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import AccountRef, Action, Change

SID = "S-1-5-21-1-2-3"
DONE, FAILED, UNSURE, NOT_SENT = Outcome.CONFIRMED, Outcome.FAILED, Outcome.UNCONFIRMED, Outcome.NOT_SENT
KILLED = None


@pytest.mark.parametrize(
    ("one_after_another", "counted"),
    [
        ([], 0),
        ([("a", DONE)], 1),
        ([("a", DONE), ("b", DONE), ("b", UNSURE)], 3),
        ([("a", FAILED), ("a", FAILED), ("b", NOT_SENT)], 0),
        ([("a", KILLED)], 1),
        ([("a", KILLED), ("a", KILLED), ("a", KILLED), ("b", KILLED)], 2),
        ([("a", KILLED), ("a", DONE)], 1),
        ([("a", KILLED), ("a", FAILED)], 1),
        ([("a", DONE), ("a", DONE), ("a", KILLED)], 2),
    ],
)
def test_what_was_removed_or_may_have_been_counts(
    one_after_another: list[tuple[str, Outcome | None]], counted: int, database_url: str
) -> None:
    store = open_store(database_url)
    journal = Journal(store)
    before = datetime.now(UTC) - timedelta(seconds=1)
    for name, outcome in one_after_another:
        run = journal.start_run("run", domain="d", domain_sid=SID, server="dc", source="", operator="")
        change = Change(Action.REMOVE, AccountRef.of(account(name)), value(name, 1), key(1).key_id, "")
        sent = journal.intend(run, "dc", [change])
        if outcome is not None:
            journal.conclude(run, [(number, outcome, "") for number in sent])
    with store.connect() as connection:
        assert removals_since(connection, SID, before) == counted
        assert removals_since(connection, SID, datetime.now(UTC) + timedelta(seconds=1)) == 0
        assert removals_since(connection, "S-1-5-21-9", before) == 0
    store.dispose()
