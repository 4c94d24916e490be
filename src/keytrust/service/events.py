"""What happens in the service that somebody may want to know: the one place where alerts, metrics and logs listen.

A listener is called in the thread in which the thing happened. It must not block, and what it raises is logged and
goes no further: nothing that watches the service can stop it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from keytrust.log import logger
from keytrust.sync.model import AccountRef


class EventKind(StrEnum):
    """What has happened. ``data`` of each is described beside it; all values are JSON."""

    WRITTEN = "written"
    """A change was made and read back. ``action``, ``keyId``, ``run``, ``server``, ``seconds`` since registration."""
    UNEXPECTED_VALUE = "unexpected-value"
    """A value appeared that this journal did not write, and something speaks against it. ``value`` (text),
    ``valueDigest``, ``keyId``, ``severity``, ``findings`` (the audit's codes), ``server``; ``originServer`` and
    ``originTime`` by the domain controller's replication metadata, ``originExact``."""
    FOREIGN_VALUE = "foreign-value"
    """One appeared that nothing speaks against: registered and written by another program, a security key, a computer's
    own. As for ``UNEXPECTED_VALUE``, without the origin."""
    VANISHING_VALUE = "vanishing-value"
    """A key that was written again and again does not last on the account. ``keyId``, ``times``."""
    CONFLICT = "conflict"
    """Account and cloud user disagree (rule 8), or a key is refused (rule 9). ``code``, ``keyId``."""
    CAP_REACHED = "cap-reached"
    """Removals are held back. ``removals``."""
    SET_ASIDE = "set-aside"
    """An account could not be worked on and is tried again later. ``attempts``, ``again`` (seconds)."""
    FEED_FAILED = "feed-failed"
    """A side cannot be read or written. ``feed``, ``failures`` in a row, ``pause`` (seconds)."""
    FEED_RECOVERED = "feed-recovered"
    """It can again. ``feed``, ``failures``."""
    STANDING_BY = "standing-by"
    """This instance is ready, and works on the domain as soon as it gets the lease. ``holder`` has it now, or null."""
    LEASE_GAINED = "lease-gained"
    """This instance is the domain's writer now. ``holder``."""
    LEASE_LOST = "lease-lost"
    """It is not any more, against its will. ``holder``."""
    LEASE_RELEASED = "lease-released"
    """It is not any more, because it was told so. ``holder``."""
    RECONCILED = "reconciled"
    """Both sides were read completely. ``users``, ``accounts``, ``suspects``, ``unjudged``, ``seconds``."""
    ARRIVED = "arrived"
    """A change shows at another domain controller. ``server``, ``seconds`` since it was confirmed, ``keyId``."""
    NOT_REPLICATED = "not-replicated"
    """Changes have not reached another domain controller in time. ``server``, ``changes``."""
    MADE_AGAIN = "made-again"
    """A change that replication had lost was made at the domain controller that lacked it. ``action``, ``keyId``,
    ``run``, ``server``, ``origin`` (where it was made first)."""
    WOULD_WRITE = "would-write"
    """Staging mode: a change that was not made. ``action``, ``keyId``."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: What.
        domain: In which domain (DNS name, or the label while that is not known).
        sentence: For people.
        account: To which account, when it is about one.
        data: More, by the kind.
        at: When (aware, UTC).
    """

    kind: EventKind
    domain: str
    sentence: str
    account: AccountRef | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


Listener = Callable[[Event], None]


class Events:
    """Listeners, and what is told to them."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def subscribe(self, listener: Listener) -> None:
        """Have this called with every event from now on."""
        with self._lock:
            self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Do not call this any more."""
        with self._lock:
            self._listeners = [each for each in self._listeners if each is not listener]

    def publish(self, event: Event) -> None:
        """Tell every listener."""
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener(event)
            except Exception as error:  # a listener's fault is its own
                logger().error("a listener failed", listener=repr(listener), fault=f"{type(error).__name__}: {error}")


def log_event(event: Event) -> None:
    """A listener that logs every event as one JSON line on standard error."""
    if event.kind is EventKind.ARRIVED:
        return  # with many domain controllers these would drown all else; they are metrics
    told = {name: value for name, value in event.data.items() if value is not None}
    if event.account is not None:
        told |= {"account": event.account.name, "dn": event.account.dn}
    loud = event.kind in _LOUD
    (logger().warning if loud else logger().info)(
        event.kind.value, domain=event.domain, sentence=event.sentence, **told
    )


_LOUD = {
    EventKind.UNEXPECTED_VALUE,
    EventKind.VANISHING_VALUE,
    EventKind.CONFLICT,
    EventKind.CAP_REACHED,
    EventKind.SET_ASIDE,
    EventKind.FEED_FAILED,
    EventKind.LEASE_LOST,
    EventKind.NOT_REPLICATED,
    EventKind.MADE_AGAIN,
}
