"""The registry's database: opening it, reading and writing in transactions."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, make_url, select
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from keytrust.errors import RegistryError
from keytrust.registry import tables

_BUSY_SECONDS = 30
_ATTEMPTS = 5

T = TypeVar("T")


class Database:
    """An open registry database.

    A transaction of ``write`` is durable when its block has ended: SQLite commits with ``synchronous=FULL`` (an fsync
    of the write-ahead log), PostgreSQL with its default ``synchronous_commit``.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        # SQLite has one writer. Queueing here is fair and immediate; its own busy handler sleeps and polls.
        self._writer = threading.Lock()
        self.instance = ""
        """Which database this is: a GUID that it got when it was made."""

    @classmethod
    def open(cls, url: str) -> Database:
        """Open the database and create its tables if it is empty.

        Raises:
            RegistryError: it cannot be opened, or has tables of another version of the registry.
        """
        try:
            parsed = make_url(url)
            engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise RegistryError(
                "the registry's database URL cannot be used",
                not_done="the registry was not started",
                remedy="give sqlite:////path/to/registry.db or postgresql+psycopg://user@host/name",
                detail=type(error).__name__,
            ) from None
        database = cls(engine)
        if database._sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        try:
            database.transact(database._create_tables)
        except SQLAlchemyError as error:
            engine.dispose()
            shown = parsed.render_as_string(hide_password=True)
            raise RegistryError(
                f"the registry's database {shown} cannot be opened",
                not_done="the registry was not started",
                remedy="check that it exists, is a registry's, and may be written by this user",
                detail=str(error.__cause__ or error),
            ) from error
        except RegistryError:
            engine.dispose()
            raise
        return database

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; committed durably when the block ends, rolled back when it raises."""
        if not self._sqlite:
            with self.engine.begin() as connection:
                yield connection
            return
        with self._writer, self.engine.connect() as connection:
            # The lock is taken at the start: a reader that turns writer would fail if another had written meanwhile.
            connection.execution_options(keytrust_begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a writing transaction; again if another one got in its way in the same moment.

        Raises:
            SQLAlchemyError: it was in the way every time, or something else is wrong.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                with self.write() as connection:
                    return work(connection)
            except IntegrityError:
                continue  # a row that was not there when we looked was written meanwhile: look again
        with self.write() as connection:
            return work(connection)

    def _create_tables(self, connection: Connection) -> None:
        tables.metadata.create_all(connection)
        version = _meta(connection, "schema", tables.SCHEMA_VERSION)
        if version != tables.SCHEMA_VERSION:
            raise RegistryError(
                f"the registry's database has tables of version {version}, not {tables.SCHEMA_VERSION}",
                not_done="the registry was not started, the database was not changed",
                remedy="run the version of keytrust that made it, or migrate it",
            )
        self.instance = _meta(connection, "instance", str(uuid.uuid4()))


def _meta(connection: Connection, name: str, initial: str) -> str:
    """A value of the table ``meta``, which is ``initial`` if there is none yet."""
    value = connection.execute(select(tables.meta.c.value).where(tables.meta.c.name == name)).scalar_one_or_none()
    if value is None:
        connection.execute(insert(tables.meta).values(name=name, value=initial))
        return initial
    return str(value)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("keytrust_begin", "BEGIN"))
