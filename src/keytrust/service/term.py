"""One term as a domain's writer: the feeds, the worker and the complete reads, from the lease's gain to its end."""

from __future__ import annotations

import random
import time

from keytrust.cloud.key_audits import POLL_SECONDS as AUDIT_SECONDS
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import StoreError
from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.feeds import AuditFeed, CloudFeed, DirectoryFeed
from keytrust.service.link import DirectoryOpener, Link
from keytrust.service.reading import Opener
from keytrust.service.reconcile import Reconciler
from keytrust.service.repeating import Health, Repeating
from keytrust.service.replication_watch import POLL_SECONDS as REPLICA_SECONDS
from keytrust.service.replication_watch import ReplicationWatch
from keytrust.service.scope_watch import POLL_SECONDS, ScopeWatch
from keytrust.service.source import AuditedSource
from keytrust.service.state import DomainState, Tally
from keytrust.service.worker import Worker
from keytrust.store.lease import renewing

_TICK = 0.5
_STATE_SECONDS = 2.0
_STATE_AGE = 10.0
_JOIN_SECONDS = 20.0
_CHANGES_FIRST = 5.0
"""How long the first complete read of a term waits at most for the changes that are due, seconds."""


class Term:
    """Runs a domain until its duty's ``stop`` is set, the lease is lost or somebody pauses it.

    Args:
        duty: The domain.
        directory: How to reach it.
        poll_seconds: How often the cloud is asked.
        read_users: Reads everybody from the cloud, in another process.
    """

    def __init__(self, duty: Duty, directory: DirectorySettings, poll_seconds: float, read_users: Opener) -> None:
        self._duty = duty
        self._links = {name: Link(directory) for name in ("worker", "directory", "reconcile", "scope", "replicas")}
        self._tally = Tally(duty.domain)
        self._state = DomainState(staging=duty.settings.staging)
        worker = self._work = Worker(duty, self._links["worker"])
        self._worker = self._repeating("worker", worker.work, 1.0, 15.0)
        self._directory_feed = DirectoryFeed(
            duty, self._links["directory"], self._worker.wake, self._read_everything_soon
        )
        cloud_feed = CloudFeed(duty, self._worker.wake, self._read_everything_soon)
        self._cloud = self._repeating("cloud", cloud_feed.poll, poll_seconds, 60.0)
        self._audits = None
        if isinstance(duty.source, AuditedSource):
            audit_feed = AuditFeed(duty, duty.source, self._worker.wake)
            self._audits = self._repeating("audits", audit_feed.poll, AUDIT_SECONDS, 300.0)
        seconds = duty.settings.directory_poll_seconds
        self._directory = self._repeating("directory", self._directory_feed.poll, seconds, 15.0)
        self._reconciler = Reconciler(
            duty,
            self._links["reconcile"],
            self._mirror_is_there,
            {"users": read_users, "accounts": DirectoryOpener(directory)},
        )
        self._reconcile = self._repeating("reconcile", self._read_everything_if_due, 1.0, 300.0)
        self._next_reading = 0.0
        self._began = time.monotonic()
        scope = ScopeWatch(duty, self._links["scope"], self._worker.wake)
        self._scope = self._repeating("scope", scope.poll, POLL_SECONDS, 60.0) if scope.needed else None
        self._replicas = ReplicationWatch(duty, self._links["replicas"], worker.mending.take)
        self._replication = self._repeating("replication", self._replicas.poll, REPLICA_SECONDS, 60.0)

    def serve(self) -> None:
        """Be the writer until the term ends; then everything that was under way has come to its end."""
        duty = self._duty
        duty.events.subscribe(self._tally)
        duty.events.subscribe(self._replicas)
        parts = [self._cloud, self._directory, self._worker, self._reconcile]
        parts.append(self._replication)
        parts += [part for part in (self._scope, self._audits) if part is not None]
        for part in parts:
            part.start()
        try:
            # To the end of what is under way: while a change is in flight nobody else may begin.
            with renewing(duty.lease):
                try:
                    self._watch()
                finally:
                    duty.stop.set()
                    deadline = time.monotonic() + _JOIN_SECONDS
                    for part in parts:
                        part.join(max(0.0, deadline - time.monotonic()))
        finally:
            for listener in (self._tally, self._replicas):
                duty.events.unsubscribe(listener)
            self._directory_feed.close()
            self._replicas.close()
            for link in self._links.values():
                link.drop()

    def wake_cloud(self) -> None:
        """Ask the cloud now: it has said that somebody changed."""
        self._cloud.wake()

    def is_idle(self) -> bool:
        """Whether nothing waits to be done and both sides answer: the moment to let somebody else go on."""
        parts = (self._cloud, self._directory, self._worker)
        rested = all(part.health.last_good and not part.health.failures for part in parts)
        return rested and not self._state.waiting and not self._reconciler.progress.stage

    def last_beat(self) -> float:
        """When the worker last came round or began with a batch, by the monotonic clock: for a watchdog."""
        return max(self._worker.health.beat, self._work.beat)

    # -- the parts ----------------------------------------------------------------------------------------------

    def _repeating(self, name: str, do: object, every: float, longest: float) -> Repeating:
        assert callable(do)  # noqa: S101 - for the type checker

        def changed(health: Health, pause: float) -> None:
            self._feed_changed(name, health, pause)

        label = f"{name} {self._duty.domain}"
        return Repeating(label, do, every=every, stop=self._duty.stop, longest=longest, on_change=changed)

    def _feed_changed(self, name: str, health: Health, pause: float) -> None:
        if pause:
            sentence = f"{name}: {health.fault} Tried again in {pause:.0f} s."
            self._duty.tell(EventKind.FEED_FAILED, sentence, feed=name, failures=health.failures, pause=round(pause, 1))
        else:
            sentence = f"{name}: works again after {health.failures} failures."
            self._duty.tell(EventKind.FEED_RECOVERED, sentence, feed=name, failures=health.failures)

    def _read_everything_soon(self) -> None:
        self._next_reading = 0.0
        self._reconcile.wake()

    def _mirror_is_there(self) -> None:
        self._cloud.wake()
        self._directory.wake()
        self._worker.wake()

    def _read_everything_if_due(self) -> None:
        if time.monotonic() < self._next_reading or self._has_changes_to_make_first():
            return
        self._reconciler.run()
        hours = self._duty.settings.reconcile_hours * random.uniform(0.9, 1.0)  # noqa: S311 - so that not all read at once
        self._next_reading = time.monotonic() + hours * 3600

    def _has_changes_to_make_first(self) -> bool:
        """Whether feeds and worker have yet to come round once: who follows a writer that died owes people its changes.

        A complete read takes the machine's time from them. It does not wait for a side that cannot be reached, nor on a
        new mirror, where they wait for it.
        """
        parts = (self._cloud, self._directory, self._worker)
        if time.monotonic() - self._began > _CHANGES_FIRST or all(part.health.last_good for part in parts):
            return False
        with self._duty.reading() as connection:
            return self._duty.mirror.header(connection)["rebuilt"] is not None

    # -- watching over them -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        duty = self._duty
        told = time.monotonic()
        while not duty.stop.wait(_TICK) and duty.lease.held():
            now = time.monotonic()
            changed = self._tally.changed_at > told or self._reconciler.progress.stage
            if now - told >= (_STATE_SECONDS if changed else _STATE_AGE):
                told = now
                if self._paused_or_told():
                    return

    def _paused_or_told(self) -> bool:
        duty = self._duty
        try:
            with duty.reading() as connection:
                header = duty.mirror.header(connection)
                backlog = duty.worklist.backlog(connection, time.time())
            self._fill(backlog.waiting, backlog.set_aside, backlog.oldest, header["rebuilt"])
            with duty.writing() as connection:
                duty.mirror.save(connection, state=self._state.to_json())
        except StoreError:
            return False  # the worker meets it too, and reports it
        return bool(header["paused"])

    def _shown(self) -> list[tuple[str, Repeating]]:
        shown = [
            ("cloud", self._cloud),
            ("audits", self._audits),
            ("directory", self._directory),
            ("worker", self._worker),
            ("scope", self._scope),
        ]
        return [(name, part) for name, part in shown if part is not None]

    def _fill(self, waiting: int, set_aside: int, oldest: float | None, rebuilt: str | None) -> None:
        state, now = self._state, time.monotonic()
        state.waiting, state.set_aside = waiting, set_aside
        state.oldest = None if oldest is None else max(0.0, round(time.time() - oldest, 1))
        state.written, state.latency = dict(self._tally.written), self._tally.latency()
        state.reconcile = {
            "stage": self._reconciler.progress.stage,
            "done": self._reconciler.progress.done,
            "last": rebuilt,
            "next": max(0.0, round(self._next_reading - now)),
        }
        state.replicas = self._replicas.state()
        state.feeds = {
            name: {
                "failures": part.health.failures,
                "fault": part.health.fault,
                "age": None if part.health.last_good is None else round(now - part.health.last_good, 1),
            }
            for name, part in self._shown()
        }
