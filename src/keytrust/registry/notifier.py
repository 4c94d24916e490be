"""Telling subscribers of changes, beside the registry's other work and never in its way.

What has to be told follows from two numbers, a subscription's and that of the latest change: nothing is queued, and
what could not be told now is told later in fewer words. A subscription is served by one delivery at a time, so that a
receiver that hangs delays only itself.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from keytrust.log import logger
from keytrust.registry import audit, changes, clock, notifications, subscriptions
from keytrust.registry.database import Database
from keytrust.registry.leadership import Leadership
from keytrust.registry.notification_target import Poster
from keytrust.registry.settings import RegistrySettings

_POLL = 1.0
"""Seconds after which to look for changes that another process made."""
_PAUSE = 0.02
"""Seconds between two looks, in which changes gather that can be told together."""
_SAVE = 1.0
_FIRST_RETRY, _LONGEST_RETRY = 1.0, 120.0
_AT_ONCE = 8
_LEAD = "notifier"


@dataclass(slots=True)
class _Delivery:
    """How it stands with one subscription, in this process."""

    position: int
    failures: int = 0
    not_before: float = 0.0
    busy: bool = False


class Notifier:
    """Tells subscribers of changes, in threads of its own.

    Args:
        database: The registry's.
        settings: Who may be told.
        now: The clock.
    """

    def __init__(self, database: Database, settings: RegistrySettings, *, now: clock.Clock = clock.now) -> None:
        self._database = database
        self._settings = settings
        self._tenant = str(settings.tenant_id)
        self._now = now
        self._poster = Poster(settings.notification_hosts, settings.notification_ca_file)
        self._log = logger()
        self._wake = threading.Event()
        self._stopping = False
        self._deliveries: dict[str, _Delivery] = {}
        self._unsaved: dict[str, int] = {}
        self._saved = 0.0
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="notify")
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._database.on_write = self._wake.set
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being sent, note how far it went, and end."""
        self._stopping = True
        self._wake.set()
        self._thread.join(30)
        self._workers.shutdown(wait=True, cancel_futures=True)
        with contextlib.suppress(SQLAlchemyError):
            self._save(force=True)
        self._poster.close()

    def _run(self) -> None:
        with Leadership(self._database.engine, _LEAD) as leadership:
            while not self._stopping:
                self._wake.wait(_POLL)
                self._wake.clear()
                try:
                    if leadership.held():
                        self._look()
                        self._save()
                except SQLAlchemyError as error:
                    self._log.warning("notifications wait for the database", error=type(error).__name__)
                    time.sleep(_POLL)
                except Exception:
                    # A thread that ended would be missed by nobody until notices are.
                    self._log.exception("notifications failed")
                    time.sleep(_POLL)
                time.sleep(_PAUSE)

    def _look(self) -> None:
        with self._database.read() as connection:
            rows = subscriptions.everybodys(connection)
            latest = changes.latest(connection) if rows else 0
        with self._lock:
            for gone in self._deliveries.keys() - {row.id for row in rows}:
                del self._deliveries[gone]
        for row in rows:
            delivery = self._deliveries.setdefault(row.id, _Delivery(row.reported))
            if delivery.busy or time.monotonic() < delivery.not_before:
                continue
            if row.expires <= self._now():
                self._begin(self._end, row, delivery)
            elif not row.warned and notifications.is_near_its_end(row, self._now()):
                self._begin(self._warn, row, delivery)
            elif delivery.position < latest:
                self._begin(self._tell, row, delivery)
            elif delivery.position > latest:
                delivery.position = latest  # a database put back from a copy has forgotten changes

    def _begin(self, work: Any, row: Row[Any], delivery: _Delivery) -> None:
        delivery.busy = True

        def run() -> None:
            try:
                fault = work(row, delivery)
                delivery.failures = 0 if fault is None else delivery.failures + 1
                if fault is not None:
                    wait = min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(delivery.failures - 1, 10))
                    delivery.not_before = time.monotonic() + wait
                    self._log.warning("notification not taken", subscription=row.id, fault=fault, retry_after=wait)
            except Exception:
                delivery.not_before = time.monotonic() + _LONGEST_RETRY
                self._log.exception("notification failed", subscription=row.id)
            finally:
                delivery.busy = False
                self._wake.set()  # more may have changed meanwhile

        self._workers.submit(run)

    def _tell(self, row: Row[Any], delivery: _Delivery) -> str | None:
        with self._database.read() as connection:
            found = notifications.changes_for(connection, row, delivery.position)
        if found.missed and row.lifecycle_url is not None:
            fault = self._post(row.lifecycle_url, [notifications.lifecycle(row, "missed", self._tenant)])
        elif found.users:
            items = [notifications.change(row, user, self._tenant) for user in found.users]
            fault = self._post(row.notification_url, items)
        else:
            fault = None  # nothing of the kind that this one is subscribed to
        if fault is None:
            delivery.position = found.position
            with self._lock:
                self._unsaved[row.id] = found.position
        return fault

    def _warn(self, row: Row[Any], _delivery: _Delivery) -> str | None:
        fault = None
        if row.lifecycle_url is not None:
            event = notifications.lifecycle(row, "reauthorizationRequired", self._tenant)
            fault = self._post(row.lifecycle_url, [event])
        if fault is None:
            self._database.transact(lambda connection: subscriptions.note_warned(connection, row.id))
        return fault

    def _end(self, row: Row[Any], _delivery: _Delivery) -> None:
        if row.lifecycle_url is not None:
            # Once, taken or not: the subscription has ended either way.
            self._post(row.lifecycle_url, [notifications.lifecycle(row, "subscriptionRemoved", self._tenant)])
        origin = audit.Origin("registry", self._now())
        self._database.transact(lambda connection: subscriptions.remove_ended(connection, row.id, origin))

    def _post(self, url: str, items: list[dict[str, object]]) -> str | None:
        return self._poster.deliver(url, json.dumps({"value": items}).encode())

    def _save(self, *, force: bool = False) -> None:
        """Note how far it went, now and then: after a crash the last second is told once more, which is legal."""
        if not force and time.monotonic() < self._saved + _SAVE:
            return
        with self._lock:
            positions, self._unsaved = self._unsaved, {}
        if positions:
            self._saved = time.monotonic()
            try:
                self._database.transact(lambda connection: subscriptions.note_reported(connection, positions))
            except SQLAlchemyError:
                with self._lock:
                    self._unsaved = {**positions, **self._unsaved}
                raise


@contextlib.contextmanager
def notifying(database: Database, settings: RegistrySettings) -> Iterator[Notifier]:
    """Subscribers are told of changes until the block ends."""
    notifier = Notifier(database, settings)
    notifier.start()
    try:
        yield notifier
    finally:
        notifier.stop()
