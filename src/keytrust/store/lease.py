"""Who may write to a domain: exactly one process at a time, on one machine or on several.

On PostgreSQL it is a row with an epoch and an expiry by the database's own clock. Every holder's epoch is greater than
the one before. It is checked, under a lock of the row, in the very transaction that journals intents: who was deposed
without noticing it (frozen, cut off) can journal nothing, and what is not journaled is not sent. On SQLite, which is
for one machine, it is a file lock, which the kernel drops with the process.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import OperationalError

from keytrust.database import session_name, writing
from keytrust.errors import StoreError
from keytrust.store.database import store_faults
from keytrust.store.mirror_tables import leases

LIFETIME = 4.0
"""Seconds that a lease is good without being renewed."""
RENEWAL = 1.0
"""Seconds between renewals."""
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


class Lease(Protocol):
    """The right to write to one domain."""

    def held(self) -> bool:
        """Whether it is still ours, as far as is known here: it is certain only in ``fence``."""

    def fence(self, connection: Connection) -> None:
        """Let the transaction go on only if the lease is still ours when it commits.

        Raises:
            StoreError: somebody else has it.
        """

    def renew(self) -> bool:
        """Make it last; whether it is still ours.

        Raises:
            StoreError: the store did not answer.
        """

    def release(self) -> None:
        """Give it back, so that somebody else can have it at once."""


def holder_name(program: str) -> str:
    """What a lease says of its holder."""
    return f"{program} on {socket.gethostname()} (process {os.getpid()})"


def acquire(engine: Engine, domain_sid: str, holder: str) -> Lease | None:
    """The lease of a domain, or None while somebody else has it.

    Raises:
        StoreError: the store did not answer.
    """
    if engine.dialect.name == "sqlite":
        return _FileLease.acquire(f"{engine.url.database}.{domain_sid}.lock", holder)
    return _RowLease.acquire(engine, domain_sid, holder)


def holder_of(engine: Engine, domain_sid: str) -> str | None:
    """Who has the lease of a domain now; None when nobody has."""
    if engine.dialect.name == "sqlite":
        return _FileLease.holder(f"{engine.url.database}.{domain_sid}.lock")
    with store_faults(engine), engine.connect() as connection:
        return _holder(connection, domain_sid)


@contextmanager
def writer(engine: Engine, domain_sid: str, program: str) -> Iterator[Lease]:
    """Hold the lease for the length of one run, renewed meanwhile.

    Raises:
        StoreError: somebody else is writing; names them.
    """
    lease = acquire(engine, domain_sid, holder_name(program))
    if lease is None:
        other = holder_of(engine, domain_sid) or "another keytrust"
        service = "keytrust run" in other
        raise StoreError(
            f"Only one program at a time may change the directory, and now {other} does.",
            not_done="Nothing was changed by this one.",
            remedy="It does by itself what sync does. To do it by hand: keytrust pause, and keytrust resume afterwards."
            if service
            else "Wait for it to end and run again.",
        )
    try:
        with renewing(lease):
            yield lease
    finally:
        lease.release()


@contextmanager
def renewing(lease: Lease) -> Iterator[None]:
    """Renew a lease in a thread that does nothing else until the block ends; ``held`` tells how that goes."""
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, ended), name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def _keep(lease: Lease, ended: threading.Event) -> None:
    while not ended.wait(RENEWAL):
        try:
            if not lease.renew():
                return
        except StoreError:
            continue  # the fence decides


class _RowLease:
    def __init__(self, engine: Engine, domain_sid: str, epoch: int, now: Callable[[], float] = _clock) -> None:
        self._engine = engine
        self._domain_sid = domain_sid
        self._epoch = epoch
        self._now = now
        self._good_until = now() + LIFETIME - _MARGIN
        self._lost = False

    @classmethod
    def acquire(cls, engine: Engine, domain_sid: str, holder: str) -> _RowLease | None:
        with store_faults(engine), engine.connect() as connection:
            if _holder(connection, domain_sid) is not None:
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


class _FileLease:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def acquire(cls, path: str, holder: str) -> _FileLease | None:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"The lock {path} cannot be opened: {error.strerror}.", not_done="Nothing was changed."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, holder.encode(), 0)
        except OSError:  # a full disk: the lock holds all the same, and only its label is missing
            pass
        return cls(handle)

    @staticmethod
    def holder(path: str) -> str | None:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(handle, 400, 0).decode("utf-8", "replace") or None
        finally:
            os.close(handle)
        return None

    def held(self) -> bool:
        return self._handle >= 0

    def fence(self, connection: Connection) -> None:
        if self._handle < 0:
            raise StoreError("This process has given up writing to the domain.", not_done="Nothing was sent.")

    def renew(self) -> bool:
        return self.held()

    def release(self) -> None:
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)


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
        held_by = re.search(r" on (.+) \(process (\d+)\)$", connection.execute(query).scalar() or "")
        if held_by is None or _holder(connection, domain_sid) is not None:
            return
        ended = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = :name AND datname = current_database() AND usename = current_user"
            " AND pid <> pg_backend_pid()"
        )
        connection.execute(ended, {"name": session_name(held_by[1], int(held_by[2]))})


def _holder(connection: Connection, domain_sid: str) -> str | None:
    """Whose row it is now, looked at without a lock: who stands by must never be what the holder waits for."""
    row = connection.execute(
        select(leases.c.holder, leases.c.expires, text("extract(epoch FROM clock_timestamp()) AS now")).where(
            leases.c.domain_sid == domain_sid
        )
    ).first()
    return row.holder if row is not None and 0 < row.expires - float(row.now) <= LIFETIME + _JUMP else None
