"""What the journal shows that we wrote: additions that were confirmed, or whose outcome nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from keytrust.store.tables import journal, outcome_rows
from keytrust.sync.chain import value_id
from keytrust.sync.model import Action
from keytrust.sync.outcome import Outcome

_AT_ONCE = 500
"""Accounts in one query; SQLite takes no more than 999 parameters everywhere."""

_WITH_OUTCOMES = journal.outerjoin(
    outcome_rows, (outcome_rows.c.intent == journal.c.seq) & (outcome_rows.c.entry == "outcome")
)
_MADE = (journal.c.action == Action.ADD.value) & (
    outcome_rows.c.outcome.is_(None) | outcome_rows.c.outcome.in_([Outcome.CONFIRMED.value, Outcome.UNCONFIRMED.value])
)
"""Additions that took effect, or may have."""


def run_that_wrote(connection: Connection, guid: bytes, value: bytes) -> str | None:
    """The latest run that wrote this value to this account."""
    query = (
        select(journal.c.run)
        .select_from(_WITH_OUTCOMES)
        .where(journal.c.value_id == value_id(guid, value), _MADE)
        .order_by(journal.c.seq.desc())
        .limit(1)
    )
    found: str | None = connection.execute(query).scalar()
    return found


def values_written(connection: Connection, guids: Sequence[bytes]) -> dict[tuple[bytes, bytes], bytes]:
    """The value that was last written to these accounts for each key, by objectGUID and KeyID."""
    found: dict[tuple[bytes, bytes], bytes] = {}
    for start in range(0, len(guids), _AT_ONCE):
        query = (
            select(journal.c.guid, journal.c.key_id, journal.c.value)
            .select_from(_WITH_OUTCOMES)
            .where(journal.c.guid.in_(guids[start : start + _AT_ONCE]), _MADE)
            .order_by(journal.c.seq)
        )
        for guid, key_id, value in connection.execute(query):
            found[guid, key_id] = value
    return found
