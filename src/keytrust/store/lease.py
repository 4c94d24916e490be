"""Who may write to a domain: exactly one process at a time, on one machine or on several.

On PostgreSQL it is a row with an epoch and an expiry by the database's own clock. Every holder's epoch is greater than
the one before. It is checked, under a lock of the row, in the very transaction that journals intents: who was deposed
without noticing it (frozen, cut off) can journal nothing, and what is not journaled is not sent. On SQLite, which is
for one machine, it is a file lock, which the kernel drops with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine

from keytrust.errors import StoreError
from keytrust.store.database import store_faults
from keytrust.store.file_lease import FileLease
from keytrust.store.holder import holder_name
from keytrust.store.row_lease import RowLease, holder_now

RENEWAL = 1.0
"""Seconds between renewals."""


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


def acquire(engine: Engine, domain_sid: str, holder: str) -> Lease | None:
    """The lease of a domain, or None while somebody else has it.

    Raises:
        StoreError: the store did not answer.
    """
    if engine.dialect.name == "sqlite":
        return FileLease.acquire(f"{engine.url.database}.{domain_sid}.lock", holder)
    return RowLease.acquire(engine, domain_sid, holder)


def holder_of(engine: Engine, domain_sid: str) -> str | None:
    """Who has the lease of a domain now; None when nobody has."""
    if engine.dialect.name == "sqlite":
        return FileLease.holder(f"{engine.url.database}.{domain_sid}.lock")
    with store_faults(engine), engine.connect() as connection:
        return holder_now(connection, domain_sid)


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
