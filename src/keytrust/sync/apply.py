"""Carrying a plan out: each change journaled before it is sent, several in flight, each read back afterwards.

The order of things is what makes this safe. A chunk of intents is committed to the journal; only then are its changes
sent. The very first change travels alone and is read back before a second one is sent, so that a lack of rights, or a
directory that does not show what it was given, costs one value and not thousands. When a connection dies, nobody knows
what became of the changes in flight: the accounts are read, and only what is missing is sent again.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from keytrust.directory.session import Answer, Verdict
from keytrust.errors import DirectoryError
from keytrust.sync.confirm import Confirmer, holds
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Action, Change
from keytrust.sync.report import Result, RunReport

CHUNK = 64
"""Changes whose intents are committed together; one disk flush for each chunk."""
ATTEMPTS = 5
"""How often a change is sent when the server is busy or the connection dies."""
DENIED_AT_FIRST = 3
"""After so many refused for lack of rights and none accepted yet, the fault is taken to be ours, not the accounts'."""


class Writer(Protocol):
    """The part of a directory session that changes values."""

    server: str

    def begin_add(self, guid: bytes, value: bytes) -> int: ...
    def begin_delete(self, guid: bytes, value: bytes) -> int: ...
    def next_answer(self) -> Answer: ...
    def close(self) -> None: ...


class Directory(Protocol):
    """What carrying out a plan needs of a domain."""

    def writer(self) -> Writer: ...
    def values_of(self, guids: list[bytes]) -> dict[bytes, tuple[bytes, ...]]: ...


@dataclass(slots=True)
class _Sent:
    index: int
    change: Change
    attempt: int = 1


class _StopError(Exception):
    """The run cannot go on; what was not sent stays unsent."""


def apply_changes(
    changes: Sequence[Change],
    *,
    directory: Directory,
    journal: Journal,
    run: str,
    in_flight: int = 32,
    progress: Callable[[int], None] | None = None,
    told_to_stop: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> RunReport:
    """Carry out changes and confirm each.

    Args:
        changes: What to do, in this order. Everything about them has been decided: nothing is judged here.
        directory: Where.
        journal: Receives each change before it is sent, and what became of it.
        run: The journal's id of an open run.
        in_flight: Most changes sent and not answered at any time.
        progress: Called with the number of changes whose outcome is known.
        told_to_stop: Asked again and again; once it says yes nothing more is sent, and what is in flight is awaited.
        sleep: Waits; given by tests.

    Raises:
        StoreError: the journal failed; nothing was sent that it did not hold.
        DirectoryError: no domain controller could be written to; nothing was sent.
    """
    engine = _Engine(changes, directory, journal, run, in_flight, progress or (lambda _: None), told_to_stop, sleep)
    return engine.carry_out()


class _Engine:
    def __init__(
        self,
        changes: Sequence[Change],
        directory: Directory,
        journal: Journal,
        run: str,
        in_flight: int,
        progress: Callable[[int], None],
        told_to_stop: Callable[[], bool],
        sleep: Callable[[float], None],
    ) -> None:
        self._changes = changes
        self._directory = directory
        self._journal = journal
        self._run = run
        self._limit = in_flight
        self._progress = progress
        self._told_to_stop = told_to_stop
        self._sleep = sleep
        self._intents: list[int] = []
        self._results: dict[int, Result] = {}
        self._unjournaled: list[tuple[int, Outcome, str]] = []
        self._in_flight: dict[int, _Sent] = {}
        self._again: deque[_Sent] = deque()
        self._accepted = 0
        self._denied = 0
        self._writer = directory.writer()
        self._confirmer = Confirmer(directory)

    def carry_out(self) -> RunReport:
        stopped = ""
        try:
            self._run_all()
        except _StopError as stop:
            stopped = str(stop)
        finally:
            self._writer.close()
            self._settle()
        for index, change in enumerate(self._changes):
            self._results.setdefault(index, Result(change, Outcome.NOT_SENT, stopped))
        return RunReport(self._run, tuple(self._results[i] for i in range(len(self._changes))), stopped)

    def _run_all(self) -> None:
        waiting = self._journaled()
        canary = True
        while True:
            limit = 1 if canary else self._limit
            stopping = self._told_to_stop()
            while len(self._in_flight) < limit and not stopping:
                sent = self._again.popleft() if self._again else next(waiting, None)
                if sent is None:
                    break
                self._send(sent)
            if not self._in_flight:
                if stopping:
                    raise _StopError("it was told to stop")
                return
            self._take(self._writer.next_answer())
            if canary and self._accepted:
                self._check_canary()
                canary = False
            self._collect(wait=False)

    def _journaled(self) -> Iterator[_Sent]:
        """Every change, each only after the journal holds it."""
        start, size = 0, 1
        while start < len(self._changes):
            chunk = self._changes[start : start + size]
            self._intents += self._journal.intend(self._run, self._writer.server, chunk)
            self._write_outcomes()
            for index, change in enumerate(chunk, start):
                yield _Sent(index, change)
            start, size = start + size, CHUNK

    def _send(self, sent: _Sent) -> None:
        change = sent.change
        begin = self._writer.begin_add if change.action is Action.ADD else self._writer.begin_delete
        ticket = begin(change.account.guid, change.value)
        if ticket < 0:
            self._in_flight[-1 - len(self._in_flight)] = sent
            self._reconnect("the connection is closed")
        else:
            self._in_flight[ticket] = sent

    def _take(self, answer: Answer) -> None:
        if answer.verdict is Verdict.LOST or answer.ticket is None:
            self._reconnect(answer.detail)
            return
        sent = self._in_flight.pop(answer.ticket, None)
        if sent is None:
            return
        if answer.verdict in (Verdict.DONE, Verdict.ALREADY):
            self._accept(sent)
        elif answer.verdict is Verdict.BUSY:
            self._try_again(sent, answer.detail)
        else:
            self._denied += answer.denied
            self._fail(sent, answer.detail)
            if self._denied >= DENIED_AT_FIRST and not self._accepted:
                raise _StopError(
                    f"{self._writer.server} denies every change: the connector account lacks the right to write"
                    " msDS-KeyCredentialLink. Add it to Key Admins, see docs/permissions.md"
                )

    def _accept(self, sent: _Sent) -> None:
        self._accepted += 1
        self._confirmer.give(sent.index, sent.change)

    def _fail(self, sent: _Sent, detail: str) -> None:
        self._conclude(sent.index, Outcome.FAILED, detail)

    def _try_again(self, sent: _Sent, detail: str) -> None:
        if sent.attempt >= ATTEMPTS:
            self._fail(sent, f"gave up after {ATTEMPTS} attempts: {detail}")
            return
        self._pause(sent.attempt)
        sent.attempt += 1
        self._again.append(sent)

    def _reconnect(self, why: str) -> None:
        """Open a new connection, and learn from the directory what became of the changes in flight."""
        lost, self._in_flight = list(self._in_flight.values()), {}
        self._writer.close()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._writer = self._directory.writer()
                now = self._directory.values_of([sent.change.account.guid for sent in lost])
                break
            except DirectoryError as error:
                if attempt == ATTEMPTS:
                    self._again.extend(lost)
                    raise _StopError(f"the connection was lost ({why}) and could not be had again: {error}") from error
                self._pause(attempt)
        for sent in lost:
            if holds(now.get(sent.change.account.guid, ()), sent.change) == (sent.change.action is Action.ADD):
                self._accept(sent)
            else:
                self._try_again(sent, why)

    def _pause(self, attempt: int) -> None:
        self._sleep(min(5.0, 0.1 * 2**attempt) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret

    # -- outcomes -----------------------------------------------------------------------------------------------

    def _check_canary(self) -> None:
        self._collect(wait=True)
        for result in self._results.values():
            if result.outcome is Outcome.UNCONFIRMED:
                raise _StopError(
                    f"the first change, to {result.change.account.name}, was accepted but is not seen when read back:"
                    " the connector account may lack the right to read msDS-KeyCredentialLink"
                )

    def _collect(self, *, wait: bool) -> None:
        for index, confirmed, detail in self._confirmer.take(wait=wait):
            self._conclude(index, Outcome.CONFIRMED if confirmed else Outcome.UNCONFIRMED, detail)

    def _conclude(self, index: int, outcome: Outcome, detail: str) -> None:
        self._results[index] = Result(self._changes[index], outcome, detail)
        self._unjournaled.append((self._intents[index], outcome, detail))
        self._progress(len(self._results))

    def _write_outcomes(self) -> None:
        done, self._unjournaled = self._unjournaled, []
        self._journal.conclude(self._run, done)

    def _settle(self) -> None:
        """Whatever ended the run: take in the last confirmations, and say of the rest that it was not sent."""
        self._collect(wait=True)
        self._confirmer.close()
        for sent in (*self._in_flight.values(), *self._again):
            # Sent once and not heard of: the journal keeps no outcome, which says just that.
            self._results.setdefault(sent.index, Result(sent.change, Outcome.UNCONFIRMED, "its outcome is not known"))
        for index, intent in enumerate(self._intents):
            if index not in self._results:
                self._unjournaled.append((intent, Outcome.NOT_SENT, ""))
        self._write_outcomes()
