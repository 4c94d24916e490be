"""A key that has to be written again becomes one value with the one that was written before, wherever that was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.world import CONTEXT, NOW, account, cloud_user, guid, key

from keytrust.credential import Dialect
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Plan
from keytrust.sync.planner import make_plan
from keytrust.sync.policy import Policy


def _plan(journal: Journal, minutes: int, number: int = 1) -> Plan:
    return make_plan(
        [cloud_user("alice", (key(number, created=None),))],
        [account("alice")],
        policy=Policy(),
        wrote=journal.wrote_to,
        dialect=Dialect.ENTRA,
        context=replace(CONTEXT, made_at=NOW + timedelta(minutes=minutes)),
        earlier=journal.earlier,
    )


@pytest.mark.parametrize(
    ("outcome", "same"),
    [
        (Outcome.CONFIRMED, True),
        (Outcome.UNCONFIRMED, True),
        (None, True),
        (Outcome.FAILED, False),
        (Outcome.NOT_SENT, False),
    ],
)
def test_what_may_be_in_the_directory_is_written_again_byte_for_byte(
    tmp_path: Path, outcome: Outcome | None, same: bool
) -> None:
    journal = Journal(open_store(f"sqlite:///{tmp_path}/keytrust.db"))
    [first] = _plan(journal, 0).changes
    run = journal.start_run("sync", domain="d", domain_sid="s", server="dc1", source="", operator="")
    [intent] = journal.intend(run, "dc1", [first])
    if outcome is not None:
        journal.conclude(run, [(intent, outcome, "")])
    [again] = _plan(journal, 30).changes
    assert (again.value == first.value) is same
    [other] = _plan(journal, 30, number=2).changes
    assert other.value != first.value


def test_many_accounts_are_looked_up_at_once(tmp_path: Path) -> None:
    journal = Journal(open_store(f"sqlite:///{tmp_path}/keytrust.db"))
    [change] = _plan(journal, 0).changes
    run = journal.start_run("sync", domain="d", domain_sid="s", server="dc1", source="", operator="")
    journal.conclude(run, [(intent, Outcome.CONFIRMED, "") for intent in journal.intend(run, "dc1", [change])])
    nobody = [guid(f"user{number}") for number in range(1200)]
    found = journal.earlier([*nobody, change.account.guid])
    assert found == {(change.account.guid, change.key_id): change.value}
