"""What the service says of itself, in the store: for ``keytrust status`` and web pages on any instance."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from keytrust.service.events import Event, EventKind

_KEPT = 1000


@dataclass(slots=True)
class DomainState:
    """How one domain fares, as of ``at``. Plain data, JSON in the store.

    Attributes:
        at: When this was written (ISO 8601, UTC). The service writes at least every 10 s.
        instance: Host and process of the writer.
        since: When its term began.
        staging: Whether nothing is written.
        feeds: ``cloud``, ``directory`` and ``worker``: ``failures`` in a row, ``fault``, ``age`` of the last success.
        waiting: Accounts to be looked at.
        set_aside: Accounts that failed and are tried again later.
        oldest: Age of the oldest waiting one, seconds.
        written: Changes made and read back in this term, by action.
        latency: ``count``, ``p50``, ``p99``, ``last``: seconds from registration to confirmed, of the last 1,000.
        reconcile: ``stage`` and ``done`` while both sides are read completely, ``last`` when that ended, ``next`` (s).
        replicas: The domain's writable domain controllers, when there are several: ``host``, ``pending`` changes on
            the way there, ``lag`` of the last arrival (s), ``fault``.
    """

    at: str = ""
    instance: str = field(default_factory=lambda: f"{socket.gethostname()} pid {os.getpid()}")
    since: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    staging: bool = False
    feeds: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: int = 0
    set_aside: int = 0
    oldest: float | None = None
    written: dict[str, int] = field(default_factory=dict)
    latency: dict[str, float] = field(default_factory=dict)
    reconcile: dict[str, Any] = field(default_factory=dict)
    replicas: list[dict[str, object]] = field(default_factory=list)

    def to_json(self) -> str:
        """For the store."""
        self.at = datetime.now(UTC).isoformat()
        return json.dumps(asdict(self), sort_keys=True)


class Tally:
    """A listener that counts one domain's writes and keeps their latencies."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._latencies: deque[float] = deque(maxlen=_KEPT)
        self.written: dict[str, int] = {}
        self.changed_at = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if event.domain != self._domain or event.kind is not EventKind.WRITTEN:
            return
        action = str(event.data["action"])
        self.written[action] = self.written.get(action, 0) + 1
        if event.data["seconds"] is not None:
            self._latencies.append(float(event.data["seconds"]))
        self.changed_at = time.monotonic()

    def latency(self) -> dict[str, float]:
        """Count, median, 99th percentile and the last."""
        values = list(self._latencies)
        if not values:
            return {}
        ordered = sorted(values)
        return {
            "count": len(values),
            "p50": ordered[len(ordered) // 2],
            "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
            "last": values[-1],
        }
