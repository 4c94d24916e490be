"""Carrying out changes as one run: opened in the journal, applied, closed with one line on how it ended."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keytrust import interrupts
from keytrust.sync.apply import apply_changes
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Change
from keytrust.sync.report import RunReport
from keytrust.sync.writing import Directory


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run takes place, for the journal.

    Attributes:
        domain: DNS name of the domain.
        domain_sid: Its SID.
        server: The domain controller in use.
        source: Name of the key source; empty for an undo.
    """

    domain: str
    domain_sid: str
    server: str
    source: str


def carry_out(
    kind: str,
    changes: Sequence[Change],
    *,
    place: Place,
    directory: Directory,
    journal: Journal,
    in_flight: int,
    progress: Callable[[int], None] | None = None,
    told_to_stop: Callable[[], bool] = interrupts.pending,
    undoes: str | None = None,
) -> RunReport:
    """Carry out changes as a run of this kind; see ``apply_changes`` for what may be raised."""
    run = journal.start_run(
        kind,
        domain=place.domain,
        domain_sid=place.domain_sid,
        server=place.server,
        source=place.source,
        operator=f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()}",
        undoes=undoes,
    )
    result = "ended by an error"
    with interrupts.shielded():
        try:
            report = apply_changes(
                changes,
                directory=directory,
                journal=journal,
                run=run,
                in_flight=in_flight,
                progress=progress,
                told_to_stop=told_to_stop,
            )
            result = ", ".join(f"{n} {outcome}" for outcome in Outcome if (n := report.count(outcome)))
            result = f"{result or 'nothing to do'}{f': {report.stopped_because}' if report.stopped_because else ''}"
        finally:
            journal.finish_run(run, result)
    return report
