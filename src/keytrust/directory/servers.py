"""In which order the domain controllers of a domain are tried. No I/O."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

AVOIDED_FOR = 60.0
"""Seconds for which a domain controller that failed is tried last."""


class Servers:
    """The candidates of one domain. Safe to use from several threads.

    The one that was used last comes first, so that what is read follows what was written: another one may not know of
    it yet. One that failed comes last for a while, since finding out that it does not answer costs a time-out.
    """

    def __init__(self, hosts: Iterable[str], now: Callable[[], float] = time.monotonic) -> None:
        self._hosts = list(dict.fromkeys(host.rstrip(".") for host in hosts))
        self._now = now
        self._current: str | None = None
        self._failed: dict[str, float] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._hosts)

    def order(self) -> list[str]:
        """All of them, the best first."""
        with self._lock:
            first = [self._current] if self._current is not None else []
            every = list(dict.fromkeys((*first, *self._hosts)))
            return sorted(every, key=self._failing)

    def learn(self, hosts: Iterable[str]) -> None:
        """Add further candidates, at the end."""
        with self._lock:
            known = {host.casefold() for host in self._hosts}
            self._hosts += [host for host in dict.fromkeys(hosts) if host.casefold() not in known]

    def used(self, host: str) -> None:
        """This one answered and is in use."""
        with self._lock:
            self._current = host
            self._failed.pop(host, None)

    def failed(self, host: str) -> None:
        """This one did not answer."""
        with self._lock:
            self._failed[host] = self._now()

    def failing(self, host: str) -> bool:
        """Whether this one failed a short while ago."""
        with self._lock:
            return self._failing(host)

    def _failing(self, host: str) -> bool:
        return self._now() - self._failed.get(host, float("-inf")) < AVOIDED_FOR
