"""A thing done again and again in a thread of its own, with back-off and jitter after faults."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from keytrust.cloud.diagnosis import RefusedError
from keytrust.errors import KeytrustError
from keytrust.log import logger

_LONGEST_WISH = 3600.0
"""A service that asks not to be asked for longer than this, seconds, is asked all the same."""


@dataclass(slots=True)
class Health:
    """How a feed fares; read by other threads.

    Attributes:
        failures: Faults in a row; 0 when the last time went well.
        fault: The last fault, and what to do about it; empty when the last time went well.
        last_good: When it last went well, by the monotonic clock.
        beat: When it last did anything, by the monotonic clock: for a watchdog.
    """

    failures: int = 0
    fault: str = ""
    last_good: float | None = None
    beat: float = field(default_factory=time.monotonic)


class Repeating:
    """Calls ``do`` until told to stop: ``every`` so many seconds, or at once when woken.

    Args:
        name: For the thread.
        do: The thing. What it raises is a fault: it is reported and tried again later.
        every: Seconds between the end of one time and the beginning of the next.
        longest: The longest pause after faults, seconds.
        on_change: Told of a fault (with the pause that follows) and of a recovery (with 0).
    """

    def __init__(
        self,
        name: str,
        do: Callable[[], None],
        *,
        every: float,
        stop: threading.Event,
        longest: float = 30.0,
        on_change: Callable[[Health, float], None] = lambda _health, _pause: None,
    ) -> None:
        self.health = Health()
        self._do = do
        self._every = every
        self._longest = longest
        self._stop = stop
        self._on_change = on_change
        self._woken = threading.Event()
        self._not_before = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Do it now; during a pause after a fault too, unless a service asked for that pause."""
        self._woken.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, after ``stop`` was set; whether it has come."""
        self._woken.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.wait(self._once())
            self._woken.clear()
            self._stop.wait(self._not_before - time.monotonic())

    def _once(self) -> float:
        health = self.health
        health.beat = time.monotonic()
        try:
            self._do()
        except Exception as error:  # whatever it is, the next time may be better, and nobody else must suffer
            if self._stop.is_set():
                return 0.0
            health.failures += 1
            health.fault = error.told if isinstance(error, KeytrustError) else f"{type(error).__name__}: {error}."
            if not isinstance(error, KeytrustError):
                logger().error("internal fault", thread=self._thread.name, exc_info=error)
            pause = min(self._longest, max(self._every, 0.25) * 2.0 ** min(health.failures, 20))
            pause *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            if isinstance(error, RefusedError) and error.retry_after is not None:
                wish = min(error.retry_after, _LONGEST_WISH)
                self._not_before = time.monotonic() + wish
                pause += wish
            self._on_change(health, pause)
            return pause
        finally:
            health.beat = time.monotonic()
        recovered, health.failures, health.fault = health.failures, 0, ""
        health.last_good = time.monotonic()
        if recovered:
            self._on_change(Health(recovered), 0.0)
        return self._every
