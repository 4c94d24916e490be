"""What the journal shows that we wrote: additions that were confirmed, or whose outcome nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select

from keytrust.store.tables import journal, outcome_rows, with_outcomes
from keytrust.sync.chain import value_id
from keytrust.sync.model import Action
from keytrust.sync.outcome import Outcome

_AT_ONCE = 500
"""Accounts, or values, in one query; SQLite takes no more than 999 parameters everywhere."""

TOOK_EFFECT = outcome_rows.c.outcome.is_(None) | outcome_rows.c.outcome.in_(
    [Outcome.CONFIRMED.value, Outcome.UNCONFIRMED.value]
)
"""Of ``with_outcomes``: changes that took effect, or may have."""
_MADE = (journal.c.action == Action.ADD.value) & TOOK_EFFECT
_RUNS = (
    select(journal.c.value_id, journal.c.run)
    .select_from(with_outcomes)
    .where(journal.c.value_id.in_(bindparam("ids", expanding=True)), _MADE)
    .order_by(journal.c.seq)
)


def runs_that_wrote(connection: Connection, guid: bytes, values: Iterable[bytes]) -> dict[bytes, str]:
    """The latest run that wrote each of these values to this account; only those that one wrote."""
    ids = {value: value_id(guid, value) for value in values}
    wanted, found = list(ids.values()), dict[bytes, str]()
    for start in range(0, len(wanted), _AT_ONCE):
        rows = connection.execute(_RUNS, {"ids": wanted[start : start + _AT_ONCE]})
        found.update({row.value_id: row.run for row in rows})
    return {value: found[each] for value, each in ids.items() if each in found}


def values_written(connection: Connection, guids: Sequence[bytes]) -> dict[tuple[bytes, bytes], bytes]:
    """The value that was last written to these accounts for each key, by objectGUID and KeyID."""
    found: dict[tuple[bytes, bytes], bytes] = {}
    for start in range(0, len(guids), _AT_ONCE):
        query = (
            select(journal.c.guid, journal.c.key_id, journal.c.value)
            .select_from(with_outcomes)
            .where(journal.c.guid.in_(guids[start : start + _AT_ONCE]), _MADE)
            .order_by(journal.c.seq)
        )
        for guid, key_id, value in connection.execute(query):
            found[guid, key_id] = value
    return found
