"""What is left to do in one domain: the accounts that have to be looked at, kept in the store until that is done.

The feeds and the complete read put accounts in; the worker takes them out. An entry that failed stays, set aside with
its reason until a later time, and is in nobody's way.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from keytrust.service.mirror import Mirror, chunks
from keytrust.store.mirror_tables import pending

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0
"""Seconds until an entry that failed is tried again: doubled each time, with jitter."""
HELD_SECONDS = 900.0
"""How long removals that are held back rest before they are judged again."""
_MOST_JITTER = 1.25


class Priority(IntEnum):
    """In which order accounts are looked at."""

    CHANGE = 0
    """Somebody waits for it."""
    RECONCILE = 1
    """Found by a complete read."""
    REMOVAL = 2
    """A key is to be removed: decided on when all else is done, so that the limit sees all removals at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An account to look at; ``version`` tells whether something new has happened to it meanwhile."""

    guid: bytes
    version: int
    priority: Priority
    since: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is left to do.

    Attributes:
        waiting: Entries that can be worked on now.
        set_aside: Entries that failed and wait for another try.
        oldest: When the oldest waiting entry came, seconds since 1970; None when there is none.
    """

    waiting: int
    set_aside: int
    oldest: float | None


class Worklist:
    """The entries of one mirror. Methods work in the caller's transaction."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror.id

    def add(self, connection: Connection, guids: Iterable[bytes], now: float, priority: Priority) -> int:
        """Put accounts in; one that is in already is to be looked at anew and at once. Returns how many."""
        wanted = sorted(set(guids))
        for chunk in chunks(wanted):
            there = set(connection.execute(select(pending.c.guid).where(self._these(chunk))).scalars())
            if there:
                connection.execute(
                    update(pending)
                    .where(self._these(sorted(there)))
                    .values(
                        version=pending.c.version + 1,
                        priority=func.min(pending.c.priority, int(priority))
                        if connection.dialect.name == "sqlite"
                        else func.least(pending.c.priority, int(priority)),
                        not_before=0.0,
                    )
                )
            new = [self._row(guid, now, priority) for guid in chunk if guid not in there]
            if new:
                connection.execute(insert(pending), new)
        return len(wanted)

    def due(self, connection: Connection, now: float, limit: int, *, removals: bool = False) -> list[Entry]:
        """Entries to work on now, in their order; with ``removals``, those that wait with a removal."""
        kind = pending.c.priority == int(Priority.REMOVAL)
        query = (
            select(pending)
            .where(pending.c.mirror == self._mirror, kind if removals else ~kind, _IS_DUE)
            .order_by(pending.c.priority, pending.c.since)
            .limit(limit)
        )
        return [
            Entry(row["guid"], row["version"], Priority(row["priority"]), row["since"], row["attempts"])
            for row in connection.execute(query, {"now": now}).mappings()
        ]

    def strike(self, connection: Connection, entries: Iterable[Entry]) -> None:
        """Take out entries that are done, unless something new has happened to them meanwhile."""
        for chunk in chunks(list(entries)):
            connection.execute(delete(pending).where(self._unchanged(chunk)))

    def await_removal(self, connection: Connection, entries: Iterable[Entry]) -> None:
        """Let entries wait until removals are decided on."""
        for chunk in chunks(list(entries)):
            connection.execute(update(pending).where(self._unchanged(chunk)).values(priority=int(Priority.REMOVAL)))

    def hold_removals(self, connection: Connection, until: float, reason: str) -> bool:
        """Let all removals that wait rest until a time; whether they had not been resting for this reason before."""
        mine = (pending.c.mirror == self._mirror) & (pending.c.priority == int(Priority.REMOVAL))
        known = connection.execute(select(func.count()).where(mine, pending.c.reason == reason)).scalar_one()
        connection.execute(update(pending).where(mine).values(not_before=until, reason=reason))
        return not known

    def set_aside(self, connection: Connection, entry: Entry, name: str, reason: str, now: float) -> float:
        """Set an entry aside that failed; returns when it will be tried again."""
        again = now + _pause(entry.attempts) * random.uniform(0.75, _MOST_JITTER)  # noqa: S311 - jitter, not a secret
        connection.execute(
            update(pending)
            .where(self._unchanged([entry]))
            .values(attempts=entry.attempts + 1, not_before=again, name=name[:400], reason=reason)
        )
        return again

    def backlog(self, connection: Connection, now: float) -> Backlog:
        """How much is left to do."""
        mine = pending.c.mirror == self._mirror
        waiting, oldest = connection.execute(
            select(func.count(), func.min(pending.c.since)).where(mine, _IS_DUE), {"now": now}
        ).one()
        resting = select(func.count()).where(mine, ~_IS_DUE, pending.c.attempts > 0)
        aside = connection.execute(resting, {"now": now}).scalar_one()
        return Backlog(waiting, aside, oldest)

    def _row(self, guid: bytes, now: float, priority: Priority) -> dict[str, Any]:
        return {
            "mirror": self._mirror,
            "guid": guid,
            "version": 1,
            "priority": int(priority),
            "since": now,
            "not_before": 0.0,
            "attempts": 0,
            "name": "",
            "reason": "",
        }

    def _these(self, guids: Iterable[bytes]) -> Any:
        return and_(pending.c.mirror == self._mirror, pending.c.guid.in_(list(guids)))

    def _unchanged(self, entries: Iterable[Entry]) -> Any:
        # As one list: a statement of its own for each number of entries would fill the caches of statements.
        same = tuple_(pending.c.guid, pending.c.version).in_([(entry.guid, entry.version) for entry in entries])
        return and_(pending.c.mirror == self._mirror, same)


def _pause(attempts: int) -> float:
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts, 20))


def _due() -> ColumnElement[bool]:
    # A time further away than any that is ever set for an entry was set before the clock was put back.
    of = pending.c
    longest = {0: HELD_SECONDS, **{n: _pause(n - 1) * _MOST_JITTER for n in range(1, 12)}}
    rest = case(longest, value=of.attempts, else_=LONGEST_PAUSE * _MOST_JITTER)
    return (of.not_before <= _NOW) | (of.not_before > _NOW + rest + 1.0)


_NOW = bindparam("now", type_=Double)
_IS_DUE = _due()
"""Whether an entry can be worked on ``now``. Made once: it is long, and is asked for several times a second."""
