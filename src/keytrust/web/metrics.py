"""What the service counts, for Prometheus. Names domains, feeds and codes, never users or keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from keytrust import __version__
from keytrust.errors import KeytrustError
from keytrust.service.events import Event, EventKind
from keytrust.service.overview import DomainOverview

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800, 7200)
"""Seconds. Half an hour is what it took before."""
_FRESH_SECONDS = 1.0

Read = Callable[[], Sequence[DomainOverview]]


class Metrics:
    """Counters that grow with events, and gauges read from the store when they are asked for.

    Args:
        read: Reads how every domain fares.
    """

    def __init__(self, read: Read) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._held: set[str] = set()
        self._latency = Histogram(
            "keytrust_registration_to_confirmed_seconds",
            "From the registration of a key to its being read back from a domain controller.",
            ("domain",),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._arrival = Histogram(
            "keytrust_replication_seconds",
            "From the confirmation of a change to its arrival at another domain controller.",
            ("domain", "controller"),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._changes = Counter(
            "keytrust_changes", "Values written to or removed from accounts.", ("domain", "action"), registry=registry
        )
        self._removals = Counter("keytrust_removals", "Values removed.", ("domain",), registry=registry)
        self._errors = Counter("keytrust_errors", "Faults, by what failed.", ("domain", "cause"), registry=registry)
        self._events = Counter("keytrust_events", "What happened, by kind.", ("domain", "kind"), registry=registry)
        registry.register(_Gauges(read, lambda: frozenset(self._held)))

    def __call__(self, event: Event) -> None:
        """A listener for the service's events."""
        domain = event.domain
        self._events.labels(domain, event.kind.value).inc()
        match event.kind:
            case EventKind.WRITTEN:
                action = str(event.data["action"])
                self._changes.labels(domain, action).inc()
                if action == "remove":
                    self._removals.labels(domain).inc()
                elif event.data.get("seconds") is not None:
                    self._latency.labels(domain).observe(float(event.data["seconds"]))
            case EventKind.FEED_FAILED:
                self._errors.labels(domain, str(event.data.get("feed"))).inc()
            case EventKind.ARRIVED:
                self._arrival.labels(domain, str(event.data["server"])).observe(float(event.data["seconds"]))
            case EventKind.LEASE_GAINED:
                self._held.add(domain)
            case EventKind.LEASE_LOST | EventKind.LEASE_RELEASED:
                self._held.discard(domain)
            case EventKind.SET_ASIDE:
                self._errors.labels(domain, "account").inc()

    def exposition(self) -> bytes:
        """Everything in the text format."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    def __init__(self, read: Read, held: Callable[[], frozenset[str]]) -> None:
        self._read = read
        self._held = held
        self._lock = Lock()
        self._seen: Sequence[DomainOverview] | None = None
        self._seen_at = 0.0

    def describe(self) -> Iterator[GaugeMetricFamily]:
        # Else the registry would ask the store while it is being put together.
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        info = GaugeMetricFamily("keytrust_build", "The version that runs.", labels=("version",))
        info.add_metric([__version__], 1)
        yield info
        seen = self._overview()
        up = GaugeMetricFamily("keytrust_store_up", "Whether the store answers.")
        up.add_metric([], 0 if seen is None else 1)
        yield up
        yield from _families(seen or (), self._held())

    def _overview(self) -> Sequence[DomainOverview] | None:
        # However many ask, the store is read once a second.
        with self._lock:
            if time.monotonic() - self._seen_at > _FRESH_SECONDS:
                try:
                    self._seen = self._read()
                except KeytrustError:
                    self._seen = None
                self._seen_at = time.monotonic()
            return self._seen


def _families(seen: Sequence[DomainOverview], held: frozenset[str]) -> Iterator[GaugeMetricFamily]:
    lease = GaugeMetricFamily("keytrust_lease_held", "Whether this instance is the writer.", labels=("domain",))
    alive = GaugeMetricFamily("keytrust_writer_alive", "Whether any instance keeps it in step.", labels=("domain",))
    paused = GaugeMetricFamily("keytrust_paused", "Whether an operator paused the domain.", labels=("domain",))
    staging = GaugeMetricFamily("keytrust_staging", "Whether nothing is written.", labels=("domain",))
    backlog = GaugeMetricFamily("keytrust_backlog_accounts", "Accounts to be looked at.", labels=("domain", "state"))
    oldest = GaugeMetricFamily("keytrust_backlog_oldest_seconds", "Age of the oldest of them.", labels=("domain",))
    last = GaugeMetricFamily(
        "keytrust_last_success_age_seconds", "Time since a part last went well.", labels=("domain", "part")
    )
    found = GaugeMetricFamily("keytrust_findings", "Conflicts and refused keys.", labels=("domain", "code"))
    for each in seen:
        lease.add_metric([each.name], each.name in held)
        alive.add_metric([each.name], each.alive)
        paused.add_metric([each.name], each.paused)
        staging.add_metric([each.name], each.staging)
        for state, count in (("waiting", each.waiting), ("set-aside", each.set_aside_count), ("held", each.held_count)):
            backlog.add_metric([each.name, state], count)
        oldest.add_metric([each.name], each.oldest or 0)
        for name, feed in each.feeds:
            if feed.get("age") is not None:
                last.add_metric([each.name, name], float(feed["age"]) + (each.age or 0))
        for code, count in each.finding_count.items():
            found.add_metric([each.name, code], count)
    yield from (lease, alive, paused, staging, backlog, oldest, last, found)
