"""A lease as a row of PostgreSQL, with an epoch and an expiry by the database's own clock; see ``lease.py``."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import OperationalError

from keytrust.database import writing
from keytrust.errors import StoreError
from keytrust.store.database import store_faults
from keytrust.store.holder import session_of
from keytrust.store.mirror_tables import leases

LIFETIME = 4.0
"""Seconds that a lease is good without being renewed."""
_MARGIN = 0.5
"""The holder stops this much earlier, seconds: a change that it sent at the last moment has arrived by then."""
_LOCK_NOT_AVAILABLE = "55P03"
_LOCK_MILLISECONDS = 1000
"""How long whoever takes a lease over waits for transactions of the holder whose lease has run out."""
_JUMP = 1.0
"""A lease that is good for so much longer than any is given, seconds, was given before the database's clock was put
back: it counts as run out, and a holder that lives has its next renewal before anybody notices, or is fenced off."""


def _clock() -> float:
    """Seconds on a clock that goes on while the machine sleeps, and that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class RowLease:
    """See ``Lease``."""

    def __init__(self, engine: Engine, domain_sid: str, epoch: int, now: Callable[[], float] = _clock) -> None:
        self._engine = engine
        self._domain_sid = domain_sid
        self._epoch = epoch
        self._now = now
        self._good_until = now() + LIFETIME - _MARGIN
        self._lost = False

    @classmethod
    def acquire(cls, engine: Engine, domain_sid: str, holder: str) -> RowLease | None:
        with store_faults(engine), engine.connect() as connection:
            if holder_now(connection, domain_sid) is not None:
                return None
        try:
            epoch, asked = cls._take(engine, domain_sid, holder)
        except _BlockedError:
            _end_sessions(engine, domain_sid)
            return None  # the next time it is to be had
        if epoch is None:
            return None
        lease = cls(engine, domain_sid, epoch)
        lease._good_until = asked + LIFETIME - _MARGIN
        return lease

    @staticmethod
    def _take(engine: Engine, domain_sid: str, holder: str) -> tuple[int | None, float]:
        """The new epoch unless somebody was quicker, and from when on it counts."""
        with store_faults(engine), writing(engine) as connection:
            _lock(connection, domain_sid)
            asked = _clock()
            # One statement: of two who ask at once the second sees the first's row.
            epoch = connection.execute(
                text(
                    "INSERT INTO leases (domain_sid, epoch, holder, expires) VALUES (:sid, 1, :holder,"
                    " extract(epoch FROM clock_timestamp()) + :lifetime)"
                    " ON CONFLICT (domain_sid) DO UPDATE SET epoch = leases.epoch + 1, holder = excluded.holder,"
                    " expires = excluded.expires WHERE leases.expires <= extract(epoch FROM clock_timestamp())"
                    " OR leases.expires > extract(epoch FROM clock_timestamp()) + :lifetime + :jump RETURNING epoch"
                ),
                {"sid": domain_sid, "holder": holder, "lifetime": LIFETIME, "jump": _JUMP},
            ).scalar()
        return epoch, asked

    def held(self) -> bool:
        return not self._lost and self._now() < self._good_until

    def fence(self, connection: Connection) -> None:
        row = connection.execute(
            select(leases.c.epoch, leases.c.holder)
            .where(leases.c.domain_sid == self._domain_sid)
            # Keeps others from taking it over, and does not keep ourselves from renewing it.
            .with_for_update(read=True, key_share=True)
        ).first()
        if row is None or row.epoch != self._epoch or self._lost:
            self._lost = True
            other = row.holder if row else "nobody"
            raise StoreError(
                f"This process is no longer the writer for the domain {self._domain_sid}: {other} is.",
                not_done="What was not journaled was not sent.",
                remedy="Nothing: the other one goes on. If this keeps happening, look for a slow store or stalls here.",
            )

    def renew(self) -> bool:
        asked = self._now()
        with store_faults(self._engine), writing(self._engine) as connection:
            done = connection.execute(
                update(leases)
                .where(leases.c.domain_sid == self._domain_sid, leases.c.epoch == self._epoch)
                .values(expires=text(f"extract(epoch FROM clock_timestamp()) + {LIFETIME}"))
            )
        if done.rowcount:
            self._good_until = asked + LIFETIME - _MARGIN
        else:
            self._lost = True
        return bool(done.rowcount)

    def release(self) -> None:
        self._lost = True
        try:
            with store_faults(self._engine), writing(self._engine) as connection:
                connection.execute(
                    update(leases)
                    .where(leases.c.domain_sid == self._domain_sid, leases.c.epoch == self._epoch)
                    .values(expires=0.0)
                )
        except StoreError:
            return  # it expires by itself


class _BlockedError(Exception):
    """Somebody whose lease has run out does not end his transactions."""


def _lock(connection: Connection, domain_sid: str) -> None:
    """Lock the row, and so wait for whoever is in a transaction that the fence let through."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
    try:
        connection.execute(select(leases.c.epoch).where(leases.c.domain_sid == domain_sid).with_for_update())
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise _BlockedError from error
        raise
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")


def _end_sessions(engine: Engine, domain_sid: str) -> None:
    """End the database sessions of the process whose lease has run out, and that keeps it from being taken over.

    The server ends the transactions of whoever is frozen by itself (``FROZEN_SECONDS``), but not when that happened in
    the middle of sending a batch of statements: then it waits for the rest for ever, with all locks.
    """
    with store_faults(engine), engine.connect() as connection:
        query = select(leases.c.holder).where(leases.c.domain_sid == domain_sid)
        session = session_of(connection.execute(query).scalar() or "")
        if session is None or holder_now(connection, domain_sid) is not None:
            return
        ended = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = :name AND datname = current_database() AND usename = current_user"
            " AND pid <> pg_backend_pid()"
        )
        connection.execute(ended, {"name": session})


def holder_now(connection: Connection, domain_sid: str) -> str | None:
    """Whose row it is now, looked at without a lock: who stands by must never be what the holder waits for."""
    row = connection.execute(
        select(leases.c.holder, leases.c.expires, text("extract(epoch FROM clock_timestamp()) AS now")).where(
            leases.c.domain_sid == domain_sid
        )
    ).first()
    return row.holder if row is not None and 0 < row.expires - float(row.now) <= LIFETIME + _JUMP else None
