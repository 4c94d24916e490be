"""One process of several on one PostgreSQL database does a piece of work; on SQLite there is only one process."""

from __future__ import annotations

import contextlib
import time
import zlib
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

_CLASS = 0x6B657974  # "keyt"
_RETRY = 5.0


class Leadership:
    """Held by whoever has a session lock of the database, which ends with the connection. Use as a context manager.

    Args:
        engine: The database.
        work: What is led; several pieces of work are led apart.
    """

    def __init__(self, engine: Engine, work: str) -> None:
        self._engine = engine
        self._key = {"class": _CLASS, "key": zlib.crc32(work.encode()) & 0x7FFFFFFF}
        self._needed = engine.dialect.name == "postgresql"
        self._connection: Connection | None = None
        self._next_try = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_up()

    def held(self) -> bool:
        """Whether it is ours now. Asked for again every few seconds while it is another's.

        Raises:
            SQLAlchemyError: the database cannot be asked; whatever was held is given up.
        """
        if not self._needed:
            return True
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return True
            if time.monotonic() < self._next_try:
                return False
            self._next_try = time.monotonic() + _RETRY
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.execute(text("SELECT pg_try_advisory_lock(:class, :key)"), self._key).scalar_one():
                self._connection = connection
                return True
            connection.close()
        except SQLAlchemyError:
            self._give_up()
            raise
        return False

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.invalidate()  # closed for good: a pooled connection would keep the lock
                connection.close()
