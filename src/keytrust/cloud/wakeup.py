"""How a poller is woken before its time."""

from __future__ import annotations

import threading


class Wakeup:
    """Says that there may be something new; what it is, the poller finds out by asking. Safe to use from many threads.

    Calls between two waits count as one, and one that comes while the poller is at work is not lost.
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Let the poller wake now, or not sleep at all the next time."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep, at most so long. True if something woke us."""
        woken = self._event.wait(seconds)
        self._event.clear()
        return woken
