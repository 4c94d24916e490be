"""How every domain fares, read from the store: the same on any instance, whether or not the service runs here."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from keytrust.directory.account import guid_text
from keytrust.service.worklist import Priority
from keytrust.store.database import store_faults
from keytrust.store.lease import holder_of
from keytrust.store.mirror_tables import findings, mirrors, pending

SHOWN = 20
"""Entries of one kind that are listed; the rest is counted."""
STALE_SECONDS = 30.0
"""The service tells its state at least every 10 s: what is older is not to be relied on."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An account that is set aside or held.

    Attributes:
        name: Its sAMAccountName as far as it is known; empty when it is not.
        guid: objectGUID.
        reason: Why.
        attempts: How often it failed.
        again: Seconds until it is tried again.
    """

    name: str
    guid: bytes
    reason: str
    attempts: int
    again: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A conflict or a refusal, as it stands.

    Attributes:
        code: Its kind.
        name: The account.
        sentence: For people.
        since: When it was first seen (ISO 8601, UTC).
    """

    code: str
    name: str
    sentence: str
    since: str


@dataclass(frozen=True, slots=True)
class DomainOverview:
    """How one domain fares.

    Attributes:
        name: Its DNS name.
        sid: Its SID.
        source: Where its keys are registered.
        paused: Whether an operator paused it.
        rebuilt: When both sides had been read completely for the first time; None until then.
        holder: Who writes to it now; None when nobody does.
        state: What the writer last said of itself (``service.state.DomainState``); empty when none has.
        age: Seconds since then; None when none has.
        waiting: Accounts to be looked at now.
        oldest: Age of the oldest of them, seconds.
        set_aside_count: Accounts that failed and are tried again later.
        set_aside: The first of them.
        held_count: Accounts whose removals are held back by the limit.
        held_because: Why.
        finding_count: Conflicts and refusals, by code.
        findings: The first of them.
    """

    name: str
    sid: str
    source: str
    paused: bool
    rebuilt: str | None
    holder: str | None
    state: dict[str, Any]
    age: float | None
    waiting: int
    oldest: float | None
    set_aside_count: int
    set_aside: tuple[Waiting, ...]
    held_count: int
    held_because: str
    finding_count: dict[str, int]
    findings: tuple[Standing, ...]

    @property
    def alive(self) -> bool:
        """Whether somebody writes to it and has said so lately."""
        return self.holder is not None and self.age is not None and self.age < STALE_SECONDS

    @property
    def staging(self) -> bool:
        """Whether the writer writes nothing."""
        return bool(self.state.get("staging"))

    @property
    def trouble(self) -> tuple[str, ...]:
        """What a person should look at, in plain words, worst first."""
        said: list[str] = []
        if self.paused:
            said.append("paused by an operator")
        elif not self.alive:
            said.append("nobody keeps it in step: keytrust run is not at work")
        for name, feed in self.feeds:
            if feed.get("failures"):
                said.append(f"{name}: {feed.get('fault')}")
        if self.rebuilt is None and self.holder is not None:
            said.append("both sides are being read for the first time; nothing is changed until that is done")
        if self.held_count:
            said.append(f"removals held back for {_count(self.held_count, 'account')}: {self.held_because}")
        if self.set_aside_count:
            said.append(f"{_count(self.set_aside_count, 'account')} set aside after faults")
        total = sum(self.finding_count.values())
        if total:
            said.append(f"{_count(total, 'conflict')} or refused key{'' if total == 1 else 's'}")
        return tuple(said)

    @property
    def feeds(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """The feeds that the writer told of, by name."""
        told = self.state.get("feeds")
        items = told.items() if isinstance(told, dict) else ()
        return tuple((str(name), feed) for name, feed in items if isinstance(feed, dict))


def read_overview(store: Engine, now: float | None = None) -> list[DomainOverview]:
    """Every domain that the service has ever worked on, by name.

    Raises:
        StoreError: the store cannot be read.
    """
    now = time.time() if now is None else now
    with store_faults(store), store.connect() as connection:
        rows = list(connection.execute(select(mirrors).order_by(mirrors.c.name)).mappings())
        parts = [(row, _pending(connection, row["id"], now), _findings(connection, row["id"])) for row in rows]
    return [_overview(store, row, waiting, standing, now) for row, waiting, standing in parts]


def overview_json(overview: DomainOverview) -> dict[str, Any]:
    """A domain's overview as JSON-ready data."""
    made = asdict(overview)
    for each in made["set_aside"]:
        each["guid"] = guid_text(each["guid"])
    return {**made, "alive": overview.alive, "trouble": list(overview.trouble)}


@dataclass(frozen=True, slots=True)
class _Pending:
    waiting: int
    oldest: float | None
    aside: int
    first_aside: tuple[Waiting, ...]
    held: int
    held_because: str


def _pending(connection: Connection, mirror: int, now: float) -> _Pending:
    mine = pending.c.mirror == mirror
    due = pending.c.not_before <= now
    failed = (pending.c.attempts > 0) & ~due
    held = (pending.c.priority == int(Priority.REMOVAL)) & ~due & (pending.c.attempts == 0)
    waiting, oldest = connection.execute(select(func.count(), func.min(pending.c.since)).where(mine, due)).one()
    aside = connection.execute(select(func.count()).where(mine, failed)).scalar_one()
    first = connection.execute(select(pending).where(mine, failed).order_by(pending.c.since).limit(SHOWN)).mappings()
    listed = tuple(
        Waiting(row["name"], row["guid"], row["reason"], row["attempts"], max(0.0, row["not_before"] - now))
        for row in first
    )
    held_count, because = connection.execute(select(func.count(), func.max(pending.c.reason)).where(mine, held)).one()
    age = None if oldest is None else max(0.0, now - oldest)
    return _Pending(waiting, age, aside, listed, held_count, because or "")


def _findings(connection: Connection, mirror: int) -> tuple[dict[str, int], tuple[Standing, ...]]:
    mine = findings.c.mirror == mirror
    counted = connection.execute(select(findings.c.code, func.count()).where(mine).group_by(findings.c.code))
    first = connection.execute(select(findings).where(mine).order_by(findings.c.since.desc()).limit(SHOWN)).mappings()
    listed = tuple(Standing(row["code"], row["name"], row["sentence"], row["since"]) for row in first)
    return dict(sorted((code, count) for code, count in counted)), listed


def _overview(
    store: Engine, row: Any, waiting: _Pending, standing: tuple[dict[str, int], Sequence[Standing]], now: float
) -> DomainOverview:
    state = _decoded(row["state"])
    return DomainOverview(
        name=row["name"],
        sid=row["sid"],
        source=row["source"],
        paused=bool(row["paused"]),
        rebuilt=row["rebuilt"],
        holder=holder_of(store, row["sid"]),
        state=state,
        age=_age(state.get("at"), now),
        waiting=waiting.waiting,
        oldest=waiting.oldest,
        set_aside_count=waiting.aside,
        set_aside=waiting.first_aside,
        held_count=waiting.held,
        held_because=waiting.held_because,
        finding_count=standing[0],
        findings=tuple(standing[1]),
    )


def _decoded(state: str | None) -> dict[str, Any]:
    try:
        told = json.loads(state) if state else {}
    except ValueError:  # written by another version
        return {}
    return told if isinstance(told, dict) else {}


def _age(at: object, now: float) -> float | None:
    try:
        return max(0.0, now - datetime.fromisoformat(str(at)).astimezone(UTC).timestamp()) if at else None
    except ValueError:
        return None


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
