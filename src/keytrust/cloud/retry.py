"""How long to wait before asking again: exponential back-off with jitter, the server's own wish, and a total bound."""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""Status codes after which the same request may succeed."""

_PRESSURE = 0.8


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds on asking again.

    Attributes:
        attempts: How often one request is sent at most.
        first: The first wait, seconds; each further one is twice as long.
        longest: The longest wait of our own choosing, seconds.
        total: The sum of all waits of one read, seconds; a wait that does not fit is not begun.
        sleep: Waits.
        jitter: A number in [0, 1), so that many clients do not come back at once.
        now: The clock, seconds since 1970, for a ``Retry-After`` that is a date.
    """

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0
    total: float = 600.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    now: Callable[[], float] = time.time


@dataclass(slots=True)
class Patience:
    """What is left of a policy's total during one read. Safe to use from many threads."""

    policy: RetryPolicy
    waited: float = field(default=0.0, init=False)
    _sleepers: int = field(default=0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def wait(self, attempt: int, retry_after: str | None = None) -> bool:
        """Wait after the failure of the ``attempt``-th try (from 1); False if no further try is allowed."""
        policy = self.policy
        if attempt >= policy.attempts:
            return False
        backoff = min(policy.longest, policy.first * 2.0 ** (attempt - 1)) * (0.5 + policy.jitter() / 2)
        asked = parse_retry_after(retry_after, policy.now())
        # The server's wish is a minimum; a little more keeps a crowd from returning in the same moment.
        seconds = backoff if asked is None else asked + backoff / 4
        return self._sleep(seconds)

    def ease(self, pressure: str | None) -> None:
        """Slow down before being throttled.

        Args:
            pressure: ``x-ms-throttle-limit-percentage`` of the last answer: the share of the limit that is used up,
                which is sent from 0.8 on and passes 1.0 where throttling begins; None if it was not sent.
        """
        try:
            share = float(pressure or 0)
        except ValueError:
            return
        if _PRESSURE <= share < 100:
            seconds = min(self.policy.longest, self.policy.first * 2.0 ** ((share - _PRESSURE) * 10))
            self._sleep(seconds)

    def _sleep(self, seconds: float) -> bool:
        """Sleep if the total allows it. Threads that wait at the same time share in what that costs."""
        with self._lock:
            charged = seconds / (self._sleepers + 1)
            if self.waited + charged > self.policy.total:
                return False
            self.waited += charged
            self._sleepers += 1
        try:
            self.policy.sleep(seconds)
        finally:
            with self._lock:
                self._sleepers -= 1
        return True


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from a ``Retry-After`` header (RFC 9110, 10.2.3); None if absent or nonsense."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0.0, moment - now)
