"""The journal: what was about to be changed, durably, before it was; and what became of it.

It is a table to which rows are only appended. An *intent* carries the raw value and is committed before the directory
hears of it. An *outcome* refers to its intent. An intent without an outcome is a change of which nobody knows whether
it took effect (the process was killed): it counts as possibly ours. Every row's digest covers the row before it, so
that a row altered or taken away later shows; the last one is kept in a table of its own too, so that rows cut off the
end show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update

from keytrust.database import writing
from keytrust.errors import StoreError
from keytrust.store.database import store_faults
from keytrust.store.mirror_tables import journal_head
from keytrust.store.run_ids import open_run
from keytrust.store.tables import journal, outcome_rows, runs, with_outcomes
from keytrust.sync.chain import COMPARE, row_digest, serialise_appends, tail, value_id, verified
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.outcome import Outcome
from keytrust.sync.written import runs_that_wrote, values_written

Fence = Callable[[Connection], None]
"""Raises ``StoreError`` in a transaction that must not go on, because somebody else is the writer now."""

__all__ = ["Journal", "JournalEntry", "Outcome", "RunRecord"]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, as the journal knows it."""

    id: str
    kind: str
    started: str
    finished: str | None
    domain: str
    domain_sid: str
    server: str
    source: str
    operator: str
    undoes: str | None
    result: str | None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An intended change and its outcome; None when the run was killed before it was known."""

    seq: int
    run: str
    at: str
    change: Change
    server: str
    outcome: Outcome | None
    detail: str


class Journal:
    """The journal in a store. Safe to use from several threads and processes; appends are serialised."""

    def __init__(self, engine: Engine, fence: Fence | None = None) -> None:
        """``fence`` is asked in every transaction that records intents: who is not the writer any more records none."""
        self._engine = engine
        self._fence = fence

    # -- writing ------------------------------------------------------------------------------------------------

    def start_run(
        self,
        kind: str,
        *,
        domain: str,
        domain_sid: str,
        server: str,
        source: str,
        operator: str,
        undoes: str | None = None,
    ) -> str:
        """Open a run and return its id, which sorts by time and can be typed."""
        row = {
            "kind": kind,
            "domain": domain,
            "domain_sid": domain_sid,
            "server": server,
            "source": source,
            "operator": operator,
            "undoes": undoes,
        }
        return open_run(self._engine, runs, row)

    def intend(self, run: str, server: str, changes: Sequence[Change]) -> list[int]:
        """Record, durably and before any of them is sent, that these changes are about to be made.

        Returns:
            One sequence number for each change, for ``conclude``.

        Raises:
            StoreError: they could not be recorded; then none of them may be made.
        """
        rows = [
            {
                "entry": "intent",
                "action": change.action.value,
                "guid": change.account.guid,
                "sid": change.account.sid,
                "name": change.account.name,
                "dn": change.account.dn,
                "value": change.value,
                "value_id": value_id(change.account.guid, change.value),
                "key_id": change.key_id,
                "reason": change.reason,
                "server": server,
            }
            for change in changes
        ]
        return self._append(run, rows, self._fence)

    def conclude(self, run: str, outcomes: Iterable[tuple[int, Outcome, str]]) -> None:
        """Record what became of intended changes: (sequence number, outcome, detail)."""
        rows = [
            {"entry": "outcome", "intent": seq, "outcome": outcome.value, "detail": detail}
            for seq, outcome, detail in outcomes
        ]
        self._append(run, rows)

    def finish_run(self, run: str, result: str) -> None:
        """Close a run with one line on how it ended."""
        now = datetime.now(UTC).isoformat()
        with store_faults(self._engine), writing(self._engine) as connection:
            connection.execute(update(runs).where(runs.c.id == run).values(finished=now, result=result))

    def _append(self, run: str, rows: list[dict[str, Any]], fence: Fence | None = None) -> list[int]:
        if not rows:
            return []
        now = datetime.now(UTC).isoformat()
        with store_faults(self._engine), writing(self._engine) as connection:
            serialise_appends(connection)
            if fence is not None:
                fence(connection)
            seq, digest = tail(connection)
            full: list[dict[str, Any]] = []
            for row in rows:
                seq += 1
                complete = {column.name: None for column in journal.columns} | row | {"seq": seq, "run": run, "at": now}
                digest = row_digest(digest, complete)
                full.append(complete | {"digest": digest})
            connection.execute(insert(journal), full)
            connection.execute(update(journal_head).values(seq=seq, digest=digest))
        return [row["seq"] for row in full]

    # -- reading ------------------------------------------------------------------------------------------------

    def wrote(self, guid: bytes, value: bytes) -> str | None:
        """The latest run that wrote this value to this account, or None when the journal shows none.

        An addition of unknown outcome counts: a value that is there, byte for byte as intended, is the one intended.
        """
        return self.wrote_to(guid, (value,)).get(value)

    def wrote_to(self, guid: bytes, values: Iterable[bytes]) -> dict[bytes, str]:
        """Those of these values of an account that a run wrote, each with the latest one; see ``wrote``."""
        with store_faults(self._engine), self._engine.connect() as connection:
            return runs_that_wrote(connection, guid, values)

    def earlier(self, guids: Sequence[bytes]) -> dict[tuple[bytes, bytes], bytes]:
        """The value last written to these accounts for each key, by objectGUID and KeyID; see ``wrote``."""
        with store_faults(self._engine), self._engine.connect() as connection:
            return values_written(connection, guids)

    def run(self, run: str, domain_sid: str | None = None) -> RunRecord:
        """One run by its id, or by the word ``last``: the latest, of the domain with this SID where one is given.

        Raises:
            StoreError: there is none.
        """
        query = select(runs).order_by(runs.c.started.desc()).limit(1)
        if run != "last":
            query = query.where(runs.c.id == run)
        elif domain_sid is not None:
            query = query.where(runs.c.domain_sid == domain_sid)
        with store_faults(self._engine), self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise StoreError(
                f"The journal has no run {run}.",
                not_done="Nothing was changed.",
                remedy="keytrust history lists the runs.",
            )
        return RunRecord(**row)

    def runs(self, limit: int = 50, domain: str | None = None) -> list[RunRecord]:
        """The latest runs, newest first; with ``domain`` those on the domain of this DNS name."""
        query = select(runs).order_by(runs.c.started.desc()).limit(limit)
        if domain is not None:
            query = query.where(func.lower(runs.c.domain) == domain.lower())
        with store_faults(self._engine), self._engine.connect() as connection:
            return [RunRecord(**row) for row in connection.execute(query).mappings()]

    def entries(self, run: str | None = None, guid: bytes | None = None) -> list[JournalEntry]:
        """Intended changes with their outcomes, in the order in which they were made, of one run or one account."""
        query = (
            select(journal, outcome_rows.c.outcome.label("became"), outcome_rows.c.detail.label("because"))
            .select_from(with_outcomes)
            .where(journal.c.entry == "intent")
            .order_by(journal.c.seq)
        )
        if run is not None:
            query = query.where(journal.c.run == run)
        if guid is not None:
            query = query.where(journal.c.guid == guid)
        with store_faults(self._engine), self._engine.connect() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def verify(self) -> tuple[int, bytes]:
        """Check the chain of digests from the first row to the last.

        Returns:
            The number of rows, and the last digest. Somebody who takes rows away at the end and corrects the head too
            leaves a journal that verifies; only an earlier digest that was noted elsewhere tells.

        Raises:
            StoreError: a row was altered, added out of order or taken away; names the first.
        """
        with store_faults(self._engine), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":  # rows and head as of one moment, while others append
                connection.execution_options(isolation_level="REPEATABLE READ")
            number, digest = verified(connection, "The journal")
            head = connection.execute(select(journal_head.c.seq, journal_head.c.digest)).first()
        if head is None or (head.seq, head.digest) != (number, digest):
            last = head.seq if head else "unknown"
            raise StoreError(
                f"The journal does not verify: it ends at row {number}, and its last row was {last}:"
                " rows at the end are missing.",
                remedy=COMPARE,
            )
        return number, digest


def _entry(row: Mapping[Any, Any]) -> JournalEntry:
    account = AccountRef(row["guid"], row["dn"], row["sid"], row["name"])
    change = Change(Action(row["action"]), account, row["value"], row["key_id"], row["reason"])
    became = row["became"]
    return JournalEntry(
        seq=row["seq"],
        run=row["run"],
        at=row["at"],
        change=change,
        server=row["server"],
        outcome=None if became is None else Outcome(became),
        detail=row["because"] or "",
    )
