"""What the service asks of the journal: how much was removed of late, and which writes do not last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, case, func, select

from keytrust.service.mirror import chunks
from keytrust.store.tables import journal, outcome_rows, runs, with_outcomes
from keytrust.sync.journal import Outcome
from keytrust.sync.model import Action
from keytrust.sync.written import TOOK_EFFECT


def removals_since(connection: Connection, domain_sid: str, since: datetime) -> int:
    """How many values were removed, or may have been, in a domain since a moment, by whichever program.

    What a killed process had only intended is intended again by the next: of removals whose outcome nobody knows each
    value counts once, and none when a later one of the same value is known. What failed removed nothing.
    """
    known = func.count(outcome_rows.c.outcome)
    of_values = (
        select(case((known > 1, known), else_=1).label("times"))
        .select_from(with_outcomes.join(runs, runs.c.id == journal.c.run))
        .where(
            runs.c.domain_sid == domain_sid,
            journal.c.action == Action.REMOVE.value,
            journal.c.at > since.astimezone(UTC).isoformat(),
            TOOK_EFFECT,
        )
        .group_by(journal.c.value_id)
        .subquery()
    )
    return int(connection.execute(select(func.sum(of_values.c.times))).scalar() or 0)


def times_written(connection: Connection, guids: Iterable[bytes], since: datetime) -> dict[tuple[bytes, bytes], int]:
    """How often each key was written to each account, and read back, since a moment: (GUID, KeyID) -> times."""
    found: dict[tuple[bytes, bytes], int] = {}
    for chunk in chunks(sorted(set(guids))):
        query = (
            select(journal.c.guid, journal.c.key_id, func.count())
            .join(outcome_rows, outcome_rows.c.intent == journal.c.seq)
            .where(
                journal.c.guid.in_(chunk),
                journal.c.action == Action.ADD.value,
                journal.c.at > since.astimezone(UTC).isoformat(),
                outcome_rows.c.outcome == Outcome.CONFIRMED.value,
            )
            .group_by(journal.c.guid, journal.c.key_id)
        )
        found.update({(guid, key_id): times for guid, key_id, times in connection.execute(query)})
    return found


def written_before(connection: Connection, guids: Iterable[bytes], run: str) -> set[tuple[bytes, bytes]]:
    """Which keys were to be written to which accounts, as (GUID, KeyID), by other runs than this one."""
    found: set[tuple[bytes, bytes]] = set()
    for chunk in chunks(sorted(set(guids))):
        query = select(journal.c.guid, journal.c.key_id).where(
            journal.c.guid.in_(chunk), journal.c.action == Action.ADD.value, journal.c.run != run
        )
        found.update((guid, key_id) for guid, key_id in connection.execute(query.distinct()))
    return found


def removed_last(connection: Connection, value: bytes) -> datetime | None:
    """When a value, given by its id, was removed, if that is the last that the journal has of it and took effect."""
    query = (
        select(journal.c.action, journal.c.at)
        .select_from(with_outcomes)
        .where(
            journal.c.value_id == value,
            journal.c.entry == "intent",
            TOOK_EFFECT,
        )
        .order_by(journal.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return datetime.fromisoformat(row.at) if row is not None and row.action == Action.REMOVE.value else None
