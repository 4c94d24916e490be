"""Whether a change has reached the other domain controllers: each is asked, cheaply, until it shows or time is up."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from keytrust.directory.replicas import same_host
from keytrust.errors import DirectoryError
from keytrust.sync.model import AccountRef, Action
from keytrust.sync.stored import StoredKey

LIMIT_SECONDS = 900.0
"""After so long a change that has not arrived is told."""
PASSED_SECONDS = 30.0
"""So long a change is still awaited when a later one of the same domain controller has arrived: links may come after
objects, and by another way."""
LATER_SECONDS = 1.0
"""Only a change that was confirmed so much later counts as a later one: of two in flight either may come first."""
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_FAULT_PAUSE = 0.25, 5.0, 60.0
"""Seconds between two questions to one domain controller: growing while nothing arrives or it does not answer."""
MOST_WAITING = 10_000
"""Changes watched at one domain controller; of a mass import the rest is not watched."""
MOST_LATE = 1_000
"""Changes that have not arrived in time and are remembered, for one domain controller."""
AT_ONCE = 250
"""Accounts that one domain controller is asked about at a time."""

Ask = Callable[[str, Sequence[bytes]], Mapping[bytes, Sequence[bytes]]]
"""Given a domain controller and accounts: the values it has of those it knows. Raises ``DirectoryError``."""
Key = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Written:
    """A change that was made and confirmed at one domain controller.

    Attributes:
        account: Whose.
        key_id: SHA-256 of the key material.
        action: What was done.
        server: Where.
        at: When, by the monotonic clock.
    """

    account: AccountRef
    key_id: bytes
    action: Action
    server: str
    at: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """A change that shows at another domain controller, ``seconds`` after it was confirmed at the first."""

    change: Written
    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Overdue:
    """A change that did not show at a domain controller within the limit."""

    change: Written
    host: str
    fault: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A change that a domain controller will never get: replication has brought it a later one of the same origin.

    A domain controller that is killed in a commit may use an update sequence number twice. Its partners then take the
    second change for one that they have, by their up-to-dateness vectors ([MS-ADTS] 3.1.1.1.11).
    """

    change: Written
    host: str


Told = Arrival | Overdue | Passed


@dataclass(slots=True)
class _Host:
    waiting: OrderedDict[Key, Written] = field(default_factory=OrderedDict)
    late: OrderedDict[Key, Written] = field(default_factory=OrderedDict)
    """Told as overdue, and not asked for any more until a later change arrives."""
    newest: dict[str, float] = field(default_factory=dict)
    """When the latest addition that has arrived was confirmed, by the domain controller where it was made."""
    passed: dict[Key, float] = field(default_factory=dict)
    """When it was first seen that replication has passed a change."""
    pause: float = FIRST_PAUSE
    next_ask: float = 0.0
    fault: str = ""
    lag: float | None = None
    unwatched: int = 0


class Replication:
    """Watches changes of one domain at all its other writable domain controllers.

    Args:
        ask: Asks one domain controller.
        limit: Seconds after which a change is given up on.
        clock: The monotonic clock.
    """

    def __init__(self, ask: Ask, *, limit: float = LIMIT_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._limit = limit
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def know(self, hosts: Iterable[str]) -> None:
        """Let these be the domain controllers that are watched."""
        wanted = set(hosts)
        with self._lock:
            self._hosts = {host: self._hosts.get(host) or _Host() for host in sorted(wanted)}

    def watch(self, change: Written) -> None:
        """Watch a change from now on; of two that undo each other the later counts."""
        with self._lock:
            for name, host in self._hosts.items():
                key = change.account.guid, change.key_id
                host.late.pop(key, None)
                host.passed.pop(key, None)
                if same_host(name, change.server):
                    host.waiting.pop(key, None)
                elif len(host.waiting) >= MOST_WAITING:
                    host.unwatched += 1
                else:
                    host.waiting[key] = change
                    if not host.fault:
                        host.pause, host.next_ask = FIRST_PAUSE, min(host.next_ask, self._clock() + FIRST_PAUSE)

    def due(self) -> list[str]:
        """The domain controllers to ask now."""
        now = self._clock()
        with self._lock:
            return [name for name, host in self._hosts.items() if host.waiting and host.next_ask <= now]

    def look(self, name: str) -> list[Told]:
        """Ask one domain controller about what it is waited for; may be called for several at the same time."""
        with self._lock:
            host = self._hosts.get(name)
            batch = [] if host is None else list(host.waiting.items())[:AT_ONCE]
        if host is None or not batch:
            return []
        try:
            shown = self._ask(name, list({guid for (guid, _), _ in batch}))
        except DirectoryError as error:
            shown, fault = None, error.message
        else:
            fault = ""
        return self._take_in(name, host, batch, shown, fault)

    def _take_in(
        self,
        name: str,
        host: _Host,
        batch: list[tuple[Key, Written]],
        shown: Mapping[bytes, Sequence[bytes]] | None,
        fault: str,
    ) -> list[Told]:
        now, told = self._clock(), list[Told]()
        with self._lock:
            host.fault = fault
            batch = [(key, change) for key, change in batch if host.waiting.get(key) is change]  # not undone meanwhile
            if shown is not None:
                told += self._arrivals(name, host, batch, shown, now)
            arrived = bool(told)
            for key, change in batch:
                if key not in host.waiting:
                    continue
                passed = host.newest.get(change.server, 0.0) > change.at + LATER_SECONDS
                if passed and shown is not None and now - host.passed.setdefault(key, now) > PASSED_SECONDS:
                    del host.waiting[key], host.passed[key]
                    told.append(Passed(change, name))
                elif not passed and now - change.at > self._limit:
                    del host.waiting[key]
                    host.late[key] = change
                    told.append(Overdue(change, name, fault))
                else:
                    host.waiting.move_to_end(key)
            while len(host.late) > MOST_LATE:
                host.late.popitem(last=False)
            longest = LONGEST_FAULT_PAUSE if fault else LONGEST_PAUSE
            host.pause = FIRST_PAUSE if arrived else min(longest, host.pause * 2)
            host.next_ask = now + host.pause
        return told

    def _arrivals(
        self,
        name: str,
        host: _Host,
        batch: Sequence[tuple[Key, Written]],
        shown: Mapping[bytes, Sequence[bytes]],
        now: float,
    ) -> list[Told]:
        """Take in what has arrived; what should have come before it, and is late, is asked for again."""
        told = list[Told]()
        for key, change in batch:
            if _shows(shown.get(change.account.guid), change):
                del host.waiting[key]
                host.passed.pop(key, None)
                host.lag = now - change.at
                told.append(Arrival(change, name, host.lag))
                if change.action is Action.ADD:  # a removal shows too where the key had never come
                    host.newest[change.server] = max(change.at, host.newest.get(change.server, 0.0))
        if told:
            for key, change in list(host.late.items()):
                if host.newest.get(change.server, 0.0) > change.at + LATER_SECONDS:
                    host.waiting[key] = host.late.pop(key)
        return told

    def state(self) -> list[dict[str, object]]:
        """How each domain controller fares: ``host``, ``pending``, ``lag`` (s), ``fault``, ``unwatched``."""
        with self._lock:
            return [
                {
                    "host": name,
                    "pending": len(host.waiting),
                    "lag": None if host.lag is None else round(host.lag, 3),
                    "fault": host.fault,
                    "unwatched": host.unwatched,
                }
                for name, host in self._hosts.items()
            ]


def _shows(values: Sequence[bytes] | None, change: Written) -> bool:
    """Whether an account's values show the change; an account that is not known there shows only removals."""
    there = any(StoredKey.read(value).key_id == change.key_id for value in values or ())
    return there == (change.action is Action.ADD)
