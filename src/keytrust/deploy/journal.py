"""The journal of set-up steps: every change as it is about to be made, durably, before it is; and what became of it.

It has tables of its own beside the journal of keys. What is in it is of another kind (objects, permissions, files),
made by another identity, often on another machine than the service's; and no reader of either could mistake one for
the other. Rows are only appended, and each row's digest covers the row before it, as there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, insert, select, update

from keytrust.database import writing
from keytrust.deploy.changes import from_json, to_json
from keytrust.deploy.step import Change
from keytrust.errors import StoreError
from keytrust.store.database import store_faults
from keytrust.store.run_ids import open_run
from keytrust.store.tables import setup_journal, setup_runs
from keytrust.sync.chain import row_digest, serialise_appends, tail, verified


class Outcome(StrEnum):
    """What became of a change."""

    DONE = "done"
    """Made, and seen in effect."""
    FAILED = "failed"
    """Refused; nothing changed."""
    UNSEEN = "unseen"
    """Said to be made, but not seen in effect."""


@dataclass(frozen=True, slots=True)
class SetupRun:
    """One run of a set-up step.

    Attributes:
        identity: Who made the changes in the directory.
        operator: Who ran the command on this machine.
    """

    id: str
    step: str
    started: str
    finished: str | None
    domain: str
    server: str
    identity: str
    operator: str
    undoes: str | None
    result: str | None


@dataclass(frozen=True, slots=True)
class SetupEntry:
    """An intended change and its outcome; None when the run ended before that was known."""

    seq: int
    run: str
    at: str
    change: Change
    summary: str
    outcome: Outcome | None
    note: str


class SetupJournal:
    """The set-up journal in a store."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def start_run(
        self, step: str, *, domain: str, server: str, identity: str, operator: str, undoes: str | None = None
    ) -> str:
        """Open a run and return its id, which sorts by time and can be typed."""
        row = {
            "step": step,
            "domain": domain,
            "server": server,
            "identity": identity,
            "operator": operator,
            "undoes": undoes,
        }
        return open_run(self.engine, setup_runs, row)

    def intend(self, run: str, change: Change) -> int:
        """Record, durably, that a change is about to be made.

        Returns:
            Its sequence number, for ``conclude``.

        Raises:
            StoreError: it could not be recorded; then it may not be made.
        """
        content = json.dumps(to_json(change), sort_keys=True)
        return self._append(run, {"entry": "intent", "change": content, "summary": change.summary})

    def conclude(self, run: str, intent: int, outcome: Outcome, note: str) -> None:
        """Record what became of an intended change."""
        self._append(run, {"entry": "outcome", "intent": intent, "outcome": outcome.value, "note": note})

    def finish_run(self, run: str, result: str) -> None:
        """Close a run with one line on how it ended."""
        values = {"finished": datetime.now(UTC).isoformat(), "result": result}
        with store_faults(self.engine), writing(self.engine) as connection:
            connection.execute(update(setup_runs).where(setup_runs.c.id == run).values(**values))

    def _append(self, run: str, row: dict[str, Any]) -> int:
        with store_faults(self.engine), writing(self.engine) as connection:
            serialise_appends(connection, setup_journal)
            seq, digest = tail(connection, setup_journal)
            complete = {column.name: None for column in setup_journal.columns} | row
            complete |= {"seq": seq + 1, "run": run, "at": datetime.now(UTC).isoformat()}
            complete["digest"] = row_digest(digest, complete, setup_journal)
            connection.execute(insert(setup_journal), complete)
        return seq + 1

    # -- reading ------------------------------------------------------------------------------------------------

    def run(self, run: str) -> SetupRun:
        """One run by its id, or by the word ``last``.

        Raises:
            StoreError: there is none.
        """
        query = select(setup_runs).order_by(setup_runs.c.started.desc()).limit(1)
        if run != "last":
            query = query.where(setup_runs.c.id == run)
        with store_faults(self.engine), self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise StoreError(
                "The journal has no set-up run." if run == "last" else f"The journal has no set-up run {run}.",
                not_done="Nothing was changed.",
                remedy="keytrust setup history lists the runs.",
            )
        return SetupRun(**row)

    def runs(self, limit: int = 50) -> list[SetupRun]:
        """The latest runs, newest first."""
        query = select(setup_runs).order_by(setup_runs.c.started.desc()).limit(limit)
        with store_faults(self.engine), self.engine.connect() as connection:
            return [SetupRun(**row) for row in connection.execute(query).mappings()]

    def entries(self, run: str) -> list[SetupEntry]:
        """A run's intended changes with their outcomes, in the order in which they were made."""
        outcomes = setup_journal.alias()
        query = (
            select(setup_journal, outcomes.c.outcome.label("became"), outcomes.c.note.label("noted"))
            .outerjoin(outcomes, (outcomes.c.intent == setup_journal.c.seq) & (outcomes.c.entry == "outcome"))
            .where(setup_journal.c.entry == "intent", setup_journal.c.run == run)
            .order_by(setup_journal.c.seq)
        )
        with store_faults(self.engine), self.engine.connect() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def verify(self) -> tuple[int, bytes]:
        """Check the chain of digests from the first row to the last; the number of rows, and the last digest.

        Raises:
            StoreError: a row was altered, added out of order or taken away; names the first.
        """
        with store_faults(self.engine), self.engine.connect() as connection:
            return verified(connection, "The set-up journal", setup_journal)


def _entry(row: Mapping[Any, Any]) -> SetupEntry:
    became = row["became"]
    return SetupEntry(
        seq=row["seq"],
        run=row["run"],
        at=row["at"],
        change=from_json(json.loads(row["change"])),
        summary=row["summary"],
        outcome=None if became is None else Outcome(became),
        note=row["noted"] or "",
    )
