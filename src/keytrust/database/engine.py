"""SQLAlchemy engines whose commits are durable and whose transactions begin where we say so."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

_BUSY_SECONDS = 30
FROZEN_SECONDS = 3
"""How long a writing transaction on PostgreSQL may do nothing before the server ends it, seconds."""
_CACHED_STATEMENTS = 32
"""Prepared statements that each SQLite connection keeps: those with long lists take a hundred kilobytes each."""
_BEGIN = "keytrust_begin"


def make_engine(url: URL) -> Engine:
    """An engine for SQLite or PostgreSQL.

    A transaction is durable when its commit returns: SQLite commits with ``synchronous=FULL`` (an fsync of the
    write-ahead log), PostgreSQL with its default ``synchronous_commit``.

    Raises:
        ArgumentError, NoSuchModuleError, ImportError: there is no such database, or its driver is not installed.
    """
    if url.get_backend_name() != "sqlite":
        name = {"application_name": session_name(socket.gethostname(), os.getpid())}
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=name)
    engine = create_engine(url, hide_parameters=True, connect_args={"cached_statements": _CACHED_STATEMENTS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def session_name(host: str, process: int) -> str:
    """What the sessions of a process are called on PostgreSQL, which takes 63 bytes."""
    return f"keytrust {host[:40]} {process}"


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: committed durably when the block ends, rolled back when it raises.

    On SQLite it holds the write lock from its start: a reader that turns writer fails if another wrote meanwhile. On
    PostgreSQL whoever is frozen or cut off in it loses it, and its locks, after ``FROZEN_SECONDS``: others must not
    wait for one who may never come back.
    """
    with engine.connect() as connection, writing_on(connection):
        yield connection


@contextmanager
def writing_on(connection: Connection) -> Iterator[None]:
    """As ``writing``, on a connection that is in no transaction."""
    connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
    try:
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{FROZEN_SECONDS}s'")
            yield
    finally:
        connection.execution_options(**{_BEGIN: "BEGIN"})


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    _use_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_write_ahead_log(cursor: Any) -> None:
    """SQLite does not wait when several connections switch a new database to its log in one moment: we do."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
