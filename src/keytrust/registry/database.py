"""The registry's database: opening it, reading and writing in transactions."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import Connection, Engine, insert, make_url, select
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, OperationalError, SQLAlchemyError

from keytrust.database import UnknownVersionError, make_engine, migrate, writing
from keytrust.errors import RegistryError
from keytrust.registry import tables
from keytrust.registry.group_commit import GroupCommit

_ATTEMPTS = 5
_IN_EACH_OTHERS_WAY = {"40001", "40P01"}
"""PostgreSQL's serialization_failure and deadlock_detected: the same once more is right."""

T = TypeVar("T")


class Database:
    """An open registry database. A transaction of ``write`` is durable when its block has ended."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        # SQLite has one writer. Queueing here is fair and immediate; its own busy handler sleeps and polls.
        self._writer = threading.Lock()
        self._group = GroupCommit(self.write) if self._sqlite else None
        self.instance = ""
        """Which database this is: a GUID that it got when it was made."""
        self.on_write: Callable[[], None] = lambda: None
        """Called after every transaction of ``write`` in this process. Must not block."""

    @classmethod
    def open(cls, url: str) -> Database:
        """Open the database and create its tables if it is empty.

        Raises:
            RegistryError: it cannot be opened, or has tables of another version of the registry.
        """
        try:
            parsed = make_url(url)
            engine = make_engine(parsed)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise RegistryError(
                "the registry's database URL cannot be used",
                not_done="the registry was not started",
                remedy="give sqlite:////path/to/registry.db or postgresql+psycopg://user@host/name",
                detail=type(error).__name__,
            ) from None
        database = cls(engine)
        try:
            migrate(engine, "keytrust.registry", tables.HEAD)
            database.instance = database.transact(_instance)
        except SQLAlchemyError as error:
            engine.dispose()
            shown = parsed.render_as_string(hide_password=True)
            raise RegistryError(
                f"the registry's database {shown} cannot be opened",
                not_done="the registry was not started",
                remedy="check that it exists, is a registry's, and may be written by this user",
                detail=str(error.__cause__ or error),
            ) from error
        except UnknownVersionError as error:
            engine.dispose()
            raise RegistryError(
                f"the registry's database was made by a newer keytrust: its tables have version {error},"
                f" this program knows {tables.HEAD}",
                not_done="the registry was not started, the database was not changed",
                remedy="run the newer version, or restore the backup that was made before the upgrade",
            ) from error
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
        with self._writer if self._sqlite else nullcontext(), writing(self.engine) as connection:
            yield connection
        self.on_write()

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a writing transaction; again if another one got in its way in the same moment.

        On SQLite those who come at the same time share a commit.

        Raises:
            SQLAlchemyError: it was in the way every time, or something else is wrong.
        """
        if self._group is not None:
            return self._group.run(work)
        for _ in range(_ATTEMPTS - 1):
            try:
                with self.write() as connection:
                    return work(connection)
            except IntegrityError:
                continue  # a row that was not there when we looked was written meanwhile: look again
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in _IN_EACH_OTHERS_WAY:
                    raise
        with self.write() as connection:
            return work(connection)


def _instance(connection: Connection) -> str:
    return _meta(connection, "instance", str(uuid.uuid4()))


def _meta(connection: Connection, name: str, initial: str) -> str:
    """A value of the table ``meta``, which is ``initial`` if there is none yet."""
    value = connection.execute(select(tables.meta.c.value).where(tables.meta.c.name == name)).scalar_one_or_none()
    if value is None:
        connection.execute(insert(tables.meta).values(name=name, value=initial))
        return initial
    return str(value)
