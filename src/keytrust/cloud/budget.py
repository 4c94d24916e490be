"""How many requests a tenant takes: resource units, shared by all threads of a read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

UNITS, SECONDS = 8000.0, 10.0
"""Resource units that Microsoft Graph gives an application in a large tenant, and in how long."""

_LEAST = 0.02
_RECOVERY = 0.02


class Budget:
    """A token bucket that gets smaller when the service throttles and slowly recovers. Safe to use from many threads.

    Microsoft Graph counts 2 units for a read of users, less 1 with ``$select``: every request here is 1, and a batch as
    many as it holds.

    Args:
        units: Resource units.
        seconds: In how long they may be used.
        now: A clock that never goes back, seconds.
        sleep: Waits.
    """

    def __init__(
        self,
        units: float = UNITS,
        seconds: float = SECONDS,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = units / seconds
        self._burst = max(1.0, self._rate)  # a second's worth at once
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._share = 1.0
        self._level = self._burst
        self._at = now()

    @property
    def share(self) -> float:
        """The part of the units that is used at the moment, up to 1."""
        return self._share

    def take(self, units: float) -> None:
        """Wait until so many units may be used, and use them."""
        with self._lock:
            now = self._now()
            rate = self._rate * self._share
            self._level = min(self._burst, self._level + (now - self._at) * rate)
            self._at = now
            # Whoever overdraws waits for it; those behind find the debt and wait for longer.
            self._level -= units
            seconds = max(0.0, -self._level / rate)
        if seconds:
            self._sleep(seconds)

    def throttled(self) -> None:
        """The service refused a request for there being too many: use half as much from now on."""
        with self._lock:
            self._share = max(_LEAST, self._share / 2)

    def answered(self) -> None:
        """The service answered a request: a little more may be used."""
        with self._lock:
            self._share = min(1.0, self._share + _RECOVERY)
