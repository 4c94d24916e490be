"""Several instances share several domains: one that writes to two or more gives one up to one that has none.

Who stands by with nothing to do says so by a shared advisory lock of PostgreSQL on the domain, over a connection of its
own: no table, no heartbeat, and it ends with the process. On SQLite there is one instance on one machine, and nothing
to share.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from keytrust.store.database import store_faults

_CLASS = 0x6B656964  # "keid"
HAND_OVER_SECONDS = 30.0
"""An instance gives up one domain at a time, so long apart: what it gave up is no longer idle then."""
ABSTENTION_SECONDS = 10.0
"""For so long it does not ask for a domain that it gave up."""


class Presence:
    """Shows that this instance has nothing to do and stands by for a domain. For one thread."""

    def __init__(self, store: Engine, domain_sid: str) -> None:
        self._store = store
        self._key = _key(domain_sid)
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._hide()

    def show(self, *, idle: bool) -> None:
        """Be seen, or not any more."""
        if self._store.dialect.name != "postgresql":
            return
        if not idle:
            self._hide()
            return
        try:
            if self._connection is None:
                self._connection = self._store.connect().execution_options(isolation_level="AUTOCOMMIT")
                asked = text("SELECT pg_advisory_lock_shared(:class, :key)")
                self._connection.execute(asked, {"class": _CLASS, "key": self._key})
            else:
                self._connection.execute(text("SELECT 1"))  # the server may have gone and come back without our lock
        except SQLAlchemyError:
            self._hide()  # shown again the next time

    def _hide(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # closed, and not given to others with our lock on it
            connection.close()


def somebody_stands_idle(store: Engine, domain_sid: str) -> bool:
    """Whether another instance stands by for the domain and has nothing to do.

    Raises:
        StoreError: the store did not answer.
    """
    if store.dialect.name != "postgresql":
        return False
    query = text(
        "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
        " WHERE locktype = 'advisory' AND granted AND classid = :class AND objid = :key AND objsubid = 2"
        " AND datname = current_database() LIMIT 1"
    )
    with store_faults(store), store.connect() as connection:
        return connection.execute(query, {"class": _CLASS, "key": _key(domain_sid)}).first() is not None


class Generosity:
    """Decides, for one instance, when to give up a domain. Called from several threads under the caller's lock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last = float("-inf")
        self._given: dict[str, float] = {}

    def gives(self, label: str, *, domains: int, idle: bool, wanted: Callable[[], bool]) -> bool:
        """Whether to give up this domain now.

        Args:
            label: The domain.
            domains: How many this instance writes to.
            idle: Whether nothing waits to be done there.
            wanted: Asks whether somebody stands idle.
        """
        now = self._now()
        if domains < 2 or not idle or now - self._last < HAND_OVER_SECONDS or not wanted():
            return False
        self._last = self._given[label] = now
        return True

    def abstains(self, label: str) -> bool:
        """Whether a domain was given up a moment ago."""
        return self._now() - self._given.get(label, float("-inf")) < ABSTENTION_SECONDS


def _key(domain_sid: str) -> int:
    return zlib.crc32(domain_sid.encode()) & 0x7FFFFFFF
