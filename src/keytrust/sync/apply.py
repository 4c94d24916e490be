"""Carrying a plan out: each change journaled before it is sent, several in flight, each read back afterwards.

The order of things is what makes this safe. A chunk of intents is committed to the journal; only then are its changes
sent. The very first change travels alone and is read back before a second one is sent, so that a lack of rights, or a
directory that does not show what it was given, costs one value and not thousands. When a connection dies, nobody knows
what became of the changes in flight: the accounts are read, and only what is missing is sent again. When the domain
controller itself has failed, the run goes on at another, and what that one has not got is made again there.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from keytrust.directory.session import Answer, Verdict
from keytrust.errors import DirectoryError
from keytrust.sync.bookkeeping import Bookkeeping
from keytrust.sync.confirm import Confirmer, fulfilled
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Action, Change
from keytrust.sync.report import RunReport
from keytrust.sync.writing import Directory

CHUNK = 64
"""Changes whose intents are committed together; one disk flush for each chunk."""
ATTEMPTS = 5
"""How often a change is sent when the server is busy or the connection dies."""
DENIED_AT_FIRST = 3
"""After so many refused for lack of rights and none accepted yet, the fault is taken to be ours, not the accounts'."""


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
        self._run = run
        self._limit = in_flight
        self._told_to_stop = told_to_stop
        self._stopped = False
        self._sleep = sleep
        self._books = Bookkeeping(changes, journal, run, progress)
        self._in_flight: dict[int, _Sent] = {}
        self._again: deque[_Sent] = deque()
        self._to_confirm: dict[int, _Sent] = {}
        self._accepted = 0
        self._denied = 0
        self._notes: list[str] = []
        self._writer = directory.writer()
        self._first = self._writer.server
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
        return RunReport(self._run, self._books.report(stopped), stopped, tuple(self._notes))

    def _run_all(self) -> None:
        waiting = self._journaled()
        canary = True
        while True:
            limit = 1 if canary else self._limit
            while len(self._in_flight) < limit and not self._stopping():
                sent = self._again.popleft() if self._again else next(waiting, None)
                if sent is None:
                    break
                self._send(sent)
            if not self._in_flight:
                if self._stopping():
                    raise _StopError("it was told to stop")
                self._collect(wait=True)
                if not self._again:
                    return
                continue
            self._take(self._writer.next_answer())
            if canary and self._accepted:
                canary = not self._canary_lives()
            self._collect(wait=False)

    def _stopping(self) -> bool:
        """Whether nothing more may be sent; once so, always so."""
        self._stopped = self._stopped or self._told_to_stop()
        return self._stopped

    def _journaled(self) -> Iterator[_Sent]:
        """Every change, each only after the journal holds it."""
        start, size = 0, 1
        while start < len(self._changes):
            chunk = self._changes[start : start + size]
            self._books.intend(self._writer.server, chunk)
            for index, change in enumerate(chunk, start):
                # The commit may have taken long: who was frozen in there wakes up without the lease, and sends nothing.
                if self._stopping():
                    return
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
        if answer.verdict is Verdict.DONE:
            self._accept(sent)
        elif answer.verdict is Verdict.ALREADY:
            self._accept_found(sent)
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
        self._to_confirm[sent.index] = sent
        self._confirmer.give(sent.index, sent.change, self._writer.server)

    def _accept_found(self, sent: _Sent) -> None:
        """The directory is as the change wants it without our doing, or so it seems.

        At another domain controller than the one that was planned by, a value that is not there may only not have
        arrived yet. It would come back after its removal had been called done.
        """
        if sent.change.action is Action.REMOVE and self._moved and sent.index not in self._books.results:
            unsure = f"not at {self._writer.server}, where it may not have arrived yet; the next run will tell"
            self._books.conclude(sent.index, Outcome.UNCONFIRMED, unsure)
        else:
            self._accept(sent)

    def _fail(self, sent: _Sent, detail: str) -> None:
        at = f" (at {self._writer.server}, which may not know of it yet)" if self._moved else ""
        if sent.index in self._books.results:
            self._notes.append(
                f"{sent.change.account.name}: not written again after {self._first} failed: {detail}{at}"
            )
        else:
            self._books.conclude(sent.index, Outcome.FAILED, f"{detail}{at}")

    def _try_again(self, sent: _Sent, detail: str) -> None:
        if sent.attempt >= ATTEMPTS:
            self._fail(sent, f"gave up after {ATTEMPTS} attempts: {detail}")
            return
        self._pause(sent.attempt)
        sent.attempt += 1
        self._again.append(sent)

    @property
    def _moved(self) -> bool:
        return self._writer.server != self._first

    def _reconnect(self, why: str) -> None:
        """Open a new connection, and learn from the directory what became of the changes in flight."""
        lost, self._in_flight = list(self._in_flight.values()), {}
        before = self._writer.server
        self._writer.close()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._writer = self._directory.writer()
                now = self._values_of([sent.change for sent in lost])
                if self._writer.server != before:
                    self._catch_up(before, why)
                break
            except DirectoryError as error:
                if attempt == ATTEMPTS or self._stopping():
                    self._again.extend(lost)
                    raise _StopError(f"the connection was lost ({why}) and could not be had again: {error}") from error
                self._pause(attempt)
        for sent in lost:
            if fulfilled(now.get(sent.change.account.guid, ()), sent.change):
                self._accept_found(sent)
            else:
                self._try_again(sent, why)

    def _catch_up(self, before: str, why: str) -> None:
        """Make again, at the domain controller now in use, what was confirmed at another and has not arrived here.

        Should the other never come back, nothing is lost; should it, the same value written at two becomes one when
        they replicate, as does a removal. The journal holds each of these changes already.
        """
        confirmed = [index for index, server in self._books.confirmed_at.items() if server != self._writer.server]
        now = self._values_of([self._changes[index] for index in confirmed])
        missing = [
            index
            for index in confirmed
            if not fulfilled(now.get(self._changes[index].account.guid, ()), self._changes[index])
        ]
        self._again.extend(_Sent(index, self._changes[index]) for index in missing)
        self._notes.append(
            f"{before} failed ({why}); went on at {self._writer.server}, where {len(missing)} of {len(confirmed)}"
            " changes had not arrived yet and were made again"
        )

    def _values_of(self, changes: Sequence[Change]) -> dict[bytes, tuple[bytes, ...]]:
        """The present values of these changes' accounts, at the domain controller that is written to."""
        guids = list({change.account.guid for change in changes})
        return self._directory.values_of(guids, self._writer.server) if guids else {}

    def _pause(self, attempt: int) -> None:
        self._sleep(min(5.0, 0.1 * 2**attempt) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret

    # -- outcomes -----------------------------------------------------------------------------------------------

    def _canary_lives(self) -> bool:
        """Whether the first change has been seen; false when it has to be sent again, since its server is gone."""
        self._collect(wait=True)
        for result in self._books.results.values():
            if result.outcome is Outcome.UNCONFIRMED:
                raise _StopError(
                    f"the first change, to {result.change.account.name}, was accepted but is not seen when read back:"
                    " the connector account may lack the right to read msDS-KeyCredentialLink"
                )
        return bool(self._books.confirmed_at)

    def _collect(self, *, wait: bool, final: bool = False) -> None:
        for found in self._confirmer.take(wait=wait):
            sent = self._to_confirm.pop(found.index)
            if found.seen:
                self._books.confirm(found.index, found.server)
            elif found.seen is None and not final and sent.attempt < ATTEMPTS:
                sent.attempt += 1  # it was written where nobody can look any more
                self._again.append(sent)
            else:
                self._books.conclude(found.index, Outcome.UNCONFIRMED, found.detail)

    def _settle(self) -> None:
        """Whatever ended the run: take in the last confirmations, and say of the rest that it was not sent."""
        self._collect(wait=True, final=True)
        self._confirmer.close()
        self._books.settle(sent.index for sent in (*self._in_flight.values(), *self._again))
