"""How often one peer may try something: a token bucket for each, in bounded memory."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_PEERS = 10_000


class RateLimit:
    """Allows ``per_minute`` tries at once, which come back evenly over a minute. Safe to use from many threads.

    Args:
        per_minute: How many tries; 0 for no limit.
        now: A clock that never goes back, seconds.
    """

    def __init__(self, per_minute: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._seconds = 60.0 / per_minute if per_minute else 0.0
        self._now = now
        self._lock = threading.Lock()
        # For each peer, the moment at which all its tries will have been paid for; the least recent first.
        self._paid: OrderedDict[str, float] = OrderedDict()

    def take(self, peer: str) -> int | None:
        """Count a try; None if it is allowed, else the whole seconds after which to come back."""
        if not self._per_minute:
            return None
        with self._lock:
            now = self._now()
            paid = max(self._paid.get(peer, now), now)
            over = paid + self._seconds - now - 60.0
            if over > 1e-9:
                return max(1, math.ceil(over))
            self._paid[peer] = paid + self._seconds
            self._paid.move_to_end(peer)
            while len(self._paid) > _PEERS:
                self._paid.popitem(last=False)
            return None

    def give_back(self, peer: str) -> None:
        """The last try succeeded and does not count."""
        with self._lock:
            if peer in self._paid:
                self._paid[peer] -= self._seconds
