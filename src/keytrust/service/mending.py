"""Changes that replication has passed by, made again at the domain controller that lacks them.

There they would be missing for good: a user whose key one site's domain controller does not know, or a revoked key that
signs in there. Written at two domain controllers the same value becomes one when they replicate, as does a removal.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from keytrust.errors import DirectoryError
from keytrust.service.audit_trail import log_run
from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.link import Linked
from keytrust.sync.carrying import carry_out
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Action, Change
from keytrust.sync.planner import Wrote
from keytrust.sync.replication import Written
from keytrust.sync.report import RunReport
from keytrust.sync.stored import StoredKey

TRIES = 5
PAUSE = 60.0
"""How often it is tried when a domain controller cannot be reached, and seconds between two tries."""

Values = Mapping[bytes, Sequence[bytes]]
"""The key credential values of accounts; an account that a domain controller does not know is not in it."""


def still_missing(changes: Iterable[Written], origin: Values, host: Values, name: str, wrote: Wrote) -> list[Change]:
    """What to do at a domain controller so that it holds what the one does where the changes were made. Pure.

    Args:
        changes: What did not arrive.
        origin: What the accounts hold where the changes were made: whatever was undone there meanwhile stays undone.
        host: What they hold at the domain controller.
        name: The domain controller's name, for the journal.
        wrote: Only values that this journal wrote are added or removed (rule 3).
    """
    made = []
    for change in changes:
        guid = change.account.guid
        if guid not in origin or guid not in host:
            continue
        there, here = (_with(change.key_id, values[guid]) for values in (origin, host))
        wanted = change.action is Action.ADD
        if bool(there) is not wanted or bool(here) is wanted:
            continue
        values = there[:1] if wanted else here
        ours = wrote(guid, values)
        why = f"missing at {name} after replication from {change.server} had passed it"
        made += [Change(change.action, change.account, value, change.key_id, why) for value in values if value in ours]
    return made


@dataclass(frozen=True, slots=True)
class _Lost:
    host: str
    server: str
    changes: tuple[Written, ...]
    tried: int = 0
    due: float = 0.0


class Mending:
    """What is to be made again in one domain. Handed in by any thread, done in the worker's: one writes at a time.

    Args:
        duty: The domain.
        link: The directory; the worker's.
        journal: Holds each change before it is sent.
        clock: The monotonic clock.
    """

    def __init__(self, duty: Duty, link: Linked, journal: Journal, clock: Callable[[], float] = time.monotonic) -> None:
        self._duty = duty
        self._link = link
        self._journal = journal
        self._clock = clock
        self._lost: list[_Lost] = []
        self._lock = threading.Lock()

    def take(self, host: str, changes: Iterable[Written]) -> None:
        """Have these made again at this domain controller when the worker comes round."""
        by_server: dict[str, list[Written]] = {}
        for change in changes:
            by_server.setdefault(change.server, []).append(change)
        with self._lock:
            self._lost += [_Lost(host, server, tuple(some)) for server, some in by_server.items()]

    def work(self) -> None:
        """Do the first thing that is due, and no more: a domain controller that is silent must not hold up the others.

        Raises:
            StoreError: the store failed, or somebody else is the writer now.
        """
        lost = self._next()
        if lost is None:
            return
        try:
            self._mend(lost)
        except DirectoryError as error:
            self._later(lost, error)
        except BaseException:
            with self._lock:
                self._lost.append(lost)
            raise

    def _next(self) -> _Lost | None:
        now = self._clock()
        with self._lock:
            due = next((lost for lost in self._lost if lost.due <= now), None)
            if due is not None:
                self._lost.remove(due)
        return due

    def _mend(self, lost: _Lost) -> None:
        guids = list({change.account.guid for change in lost.changes})
        with self._link.at(lost.server) as origin, self._link.at(lost.host) as host:
            changes = still_missing(
                lost.changes, origin.values_of(guids), host.values_of(guids), lost.host, self._journal.wrote_to
            )
            if not changes:
                return
            report = carry_out(
                "run",
                changes,
                place=self._link.place(self._duty.source.name),
                directory=host,
                journal=self._journal,
                in_flight=32,
                told_to_stop=self._duty.stopping,
            )
        self._tell(lost, report)
        if not report.complete and not self._duty.stopping():
            failed = next((each.detail for each in report.results if each.outcome is not Outcome.CONFIRMED), "")
            raise DirectoryError(report.stopped_because or failed)

    def _tell(self, lost: _Lost, report: RunReport) -> None:
        log_run(self._journal, report.run, self._link.connector)
        for result in report.results:
            if result.outcome is not Outcome.CONFIRMED:
                continue
            change = result.change
            self._duty.tell(
                EventKind.MADE_AGAIN,
                f"{change.account.name}: {change.action} of a key made again at {lost.host}:"
                f" replication from {lost.server} had passed it.",
                change.account,
                action=change.action.value,
                keyId=change.key_id.hex(),
                run=report.run,
                server=lost.host,
                origin=lost.server,
            )

    def _later(self, lost: _Lost, error: DirectoryError) -> None:
        tried = lost.tried + 1
        if tried < TRIES:
            with self._lock:
                self._lost.append(replace(lost, tried=tried, due=self._clock() + PAUSE * tried))
            return
        self._duty.tell(
            EventKind.NOT_REPLICATED,
            f"{len(lost.changes)} changes were lost by replication from {lost.server} to {lost.host}, the first for"
            f" {lost.changes[0].account.name}, and could not be made there: {error.message}",
            server=lost.host,
            changes=len(lost.changes),
        )


def _with(key_id: bytes, values: Sequence[bytes]) -> list[bytes]:
    return [value for value in values if StoredKey.read(value).key_id == key_id]
