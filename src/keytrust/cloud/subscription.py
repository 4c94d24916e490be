"""Keeping one subscription alive: made at the start, renewed before it ends, made anew when the service has lost it.

Losing it costs nothing but time: the poller goes on polling, and is woken once whenever notices may have been missed.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from keytrust.cloud.subscriptions import Subscription, SubscriptionService
from keytrust.cloud.wakeup import Wakeup
from keytrust.errors import CloudError

LIFETIME = timedelta(days=2)
"""What is asked for. Microsoft Graph allows 29 days for users; a lost notice of the end should cost less."""

_FIRST_RETRY, _LONGEST_RETRY = 5.0, 600.0
_SHORTEST = 1.0


@dataclass(frozen=True, slots=True)
class KeeperState:
    """How it stands: the subscription, if there is one, and why not, if there should be."""

    subscription: Subscription | None = None
    fault: CloudError | None = None


class SubscriptionKeeper:
    """Keeps a subscription to changes of users.

    Args:
        service: Where to subscribe.
        url: Where we receive notifications.
        client_state: The secret that the service is to send with each.
        wake: Called whenever changes may have gone by unnoticed. Must not block.
        lifetime: How long a subscription is asked for.
        utcnow: The host's clock.
        jitter: A number in [0, 1), so that many clients do not come back at once.
    """

    def __init__(
        self,
        service: SubscriptionService,
        url: str,
        client_state: str,
        wake: Callable[[], None],
        *,
        lifetime: timedelta = LIFETIME,
        utcnow: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._service = service
        self._url = url
        self._client_state = client_state
        self._wake = wake
        self._lifetime = lifetime
        self._utcnow = utcnow
        self._jitter = jitter
        self._attention = Wakeup()
        self._lost = threading.Event()
        self._failures = 0
        self._state = KeeperState()

    @property
    def state(self) -> KeeperState:
        """How it stands now."""
        return self._state

    def lifecycle(self, event: str) -> None:
        """Take up a lifecycle event. Does not block: what it calls for is done by ``run``."""
        if event == "missed":
            self._wake()
            return
        if event == "subscriptionRemoved":
            self._lost.set()
        self._attention.set()

    def run(self, stop: threading.Event) -> None:
        """Keep the subscription until ``stop`` is set (call ``nudge`` after that), then end it at the service."""
        while not stop.is_set():
            seconds = self.step()
            # In short pieces of monotonic time: a host that slept finds out soon after it woke up.
            until = time.monotonic() + seconds
            while not stop.is_set() and (left := until - time.monotonic()) > 0:
                if self._attention.wait(min(left, 60.0)):
                    break
        self._end()

    def nudge(self) -> None:
        """Let ``run`` look at once whether there is something to do."""
        self._attention.set()

    def step(self) -> float:
        """Do what is due, once: subscribe or renew. Returns the seconds until the next step; never raises."""
        try:
            if self._lost.is_set():
                self._lost.clear()
                self._state = KeeperState()
            current = self._state.subscription
            expires = self._utcnow() + self._lifetime
            renewed = None if current is None else self._service.renew(current.id, expires)
            if renewed is None:
                renewed = self._subscribe(expires)
        except CloudError as error:
            self._failures += 1
            self._state = KeeperState(self._state.subscription, error)
            backoff = min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
            return backoff * (0.5 + self._jitter() / 2)
        self._failures = 0
        self._state = KeeperState(renewed)
        # What the service cut from the time that was asked for does not depend on whose clock is right.
        granted = self._lifetime.total_seconds() - max(0.0, (expires - renewed.expires).total_seconds())
        return max(_SHORTEST, granted / 2)

    def _subscribe(self, expires: datetime) -> Subscription:
        # Those of an earlier run of ours carry a secret that is known no more, and would be posted to in vain.
        for old in self._service.mine():
            if old.notification_url == self._url:
                self._service.remove(old.id)
        made = self._service.create(self._url, self._client_state, expires)
        self._wake()  # what changed before we were listening was announced to nobody
        return made

    def _end(self) -> None:
        current, self._state = self._state.subscription, KeeperState()
        if current is not None:
            with contextlib.suppress(CloudError):  # it ends by itself
                self._service.remove(current.id)
