"""What the journal shows that we wrote: additions that were confirmed, or whose outcome nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, FromClause, select

from keytrust.store.tables import journal
from keytrust.sync.chain import value_id
from keytrust.sync.model import Action
from keytrust.sync.outcome import Outcome

_AT_ONCE = 500
"""Accounts in one query; SQLite takes no more than 999 parameters everywhere."""


def run_that_wrote(connection: Connection, guid: bytes, value: bytes) -> str | None:
    """The latest run that wrote this value to this account."""
    source, made = _additions()
    query = (
        select(journal.c.run)
        .select_from(source)
        .where(journal.c.value_id == value_id(guid, value), made)
        .order_by(journal.c.seq.desc())
        .limit(1)
    )
    found: str | None = connection.execute(query).scalar()
    return found


def values_written(connection: Connection, guids: Sequence[bytes]) -> dict[tuple[bytes, bytes], bytes]:
    """The value that was last written to these accounts for each key, by objectGUID and KeyID."""
    source, made = _additions()
    found: dict[tuple[bytes, bytes], bytes] = {}
    for start in range(0, len(guids), _AT_ONCE):
        query = (
            select(journal.c.guid, journal.c.key_id, journal.c.value)
            .select_from(source)
            .where(journal.c.guid.in_(guids[start : start + _AT_ONCE]), made)
            .order_by(journal.c.seq)
        )
        for guid, key_id, value in connection.execute(query):
            found[guid, key_id] = value
    return found


def _additions() -> tuple[FromClause, ColumnElement[bool]]:
    outcomes = journal.alias()
    source = journal.outerjoin(outcomes, (outcomes.c.intent == journal.c.seq) & (outcomes.c.entry == "outcome"))
    made = outcomes.c.outcome.is_(None) | outcomes.c.outcome.in_([Outcome.CONFIRMED.value, Outcome.UNCONFIRMED.value])
    return source, (journal.c.action == Action.ADD.value) & made
