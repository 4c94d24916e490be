"""What a complete read brings that is new, kept beside the mirror until the read is complete.

The process that reads a side writes it to a file of its own, sorted as the mirror is. Nothing of the store is touched
or locked meanwhile, and a read that breaks off leaves no trace in it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Engine, Integer, MetaData, Table, delete, func, select

from keytrust.errors import StoreError
from keytrust.private_folder import private_folder
from keytrust.service.mirror import chunks
from keytrust.service.sides import SIDES, Side, Tuples

_SORT_KIB = 4096
"""Sorted at once: as much as the processor's cache holds."""


@contextmanager
def staging_folder(store: Engine, mirror: int) -> Iterator[Path]:
    """A folder for the files of one complete read, gone afterwards.

    Beside an SQLite store, since they may need as much room as it; else where temporary files are.
    """
    if store.dialect.name != "sqlite":
        with private_folder("reading") as folder:
            yield folder
        return
    folder = Path(f"{store.url.database}.reading-{mirror}")
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed: a domain has one writer
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise StoreError(
            f"The folder {folder} cannot be made: {error.strerror}.", not_done="Nothing was read."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Staging:
    """The writer's end: rows of one side in any order.

    Args:
        side: The side.
        path: The file, which is not there yet.

    Raises:
        StoreError: there is no room for it; from any method.
    """

    def __init__(self, side: Side, path: Path) -> None:
        self._side = side
        self._path = path
        with self._faults():
            self._file = sqlite3.connect(path, isolation_level=None)
            # It is read by the process that asked for it, or by nobody: what a crash leaves of it is worth nothing.
            for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_SORT_KIB}"):
                self._file.execute(f"PRAGMA {pragma}")
            for table in (side.table, side.children):
                self._file.execute(f"CREATE TEMP TABLE gathered_{table.name} ({_columns(table)}, seq)")
                self._file.execute(f"CREATE TABLE {staged_name(table)} (n INTEGER PRIMARY KEY, {_columns(table)}, seq)")

    def add(self, rows: Tuples, children: Tuples) -> None:
        """Keep complete rows in the order of their tables' columns; each ends with its object's number in the read."""
        with self._faults():
            self._file.execute("BEGIN")
            for table, some in ((self._side.table, rows), (self._side.children, children)):
                marks = ", ".join("?" * (len(table.columns) + 1))
                self._file.executemany(f"INSERT INTO gathered_{table.name} VALUES ({marks})", some)  # noqa: S608
            self._file.execute("COMMIT")

    def finish(self) -> None:
        """Sort it all."""
        with self._faults():
            self._file.execute("BEGIN")
            self._sort(self._side.table)
            self._sort(self._side.children)
            self._file.execute("COMMIT")
            self._file.close()

    def _sort(self, table: Table) -> None:
        order = ", ".join(f'"{column.name}"' for column in table.primary_key.columns if column.name != "mirror")
        columns = f"{_columns(table)}, seq"
        self._file.execute(
            f"INSERT INTO {staged_name(table)} ({columns})"  # noqa: S608
            f" SELECT {columns} FROM gathered_{table.name} ORDER BY {order}, seq"
        )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"What was read cannot be kept in {self._path}: {error}.",
                not_done="Nothing was changed: what was known before is still good.",
                remedy="Make room there.",
            ) from error


class Staged:
    """The reader's end: the rows of one side as tables that SQL on the store's connection can use.

    Attributes:
        rows: Its objects, numbered by ``n`` in the order of their names, and by ``seq`` in that of the read.
        children: What belongs to them, numbered likewise.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.rows = _STAGED[side.table.name]
        self.children = _STAGED[side.children.name]

    @classmethod
    def opened(cls, connection: Connection, side: Side, path: Path) -> Staged:
        """The file as tables; the connection is not in a transaction, and is not used for anything else later."""
        staged = cls(side)
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.dbapi_connection
            schema = staged_name(side.table)
            driver.execute(f"ATTACH ? AS {schema}", (str(path),))
            # It takes part in each transaction, and must not make that one of several files, with a journal above them.
            driver.execute(f"PRAGMA {schema}.journal_mode = OFF")
            driver.execute(f"PRAGMA {schema}.synchronous = OFF")
        else:
            for table in (staged.rows, staged.children):
                _copy(connection, path, table)
        return staged

    def keep_the_latest(self, connection: Connection) -> None:
        """Of an object that the read brought more than once keep the last state only."""
        rows, children = self.rows.c, self.children.c
        last = select(func.max(rows.n)).group_by(rows[self.side.name])
        with connection.begin():
            connection.execute(delete(self.rows).where(rows.n.not_in(last)))
            connection.execute(delete(self.children).where(children.seq.not_in(select(rows.seq))))

    def leave_out(self, connection: Connection, names: Sequence[Any]) -> None:
        """Forget these objects."""
        for chunk in chunks(names):
            with connection.begin():
                connection.execute(delete(self.children).where(self.children.c[self.side.parent].in_(chunk)))
                connection.execute(delete(self.rows).where(self.rows.c[self.side.name].in_(chunk)))

    def find_children_by_parent(self, connection: Connection) -> None:
        """Make that quick: an object's children are otherwise far from it."""
        with connection.begin():
            on = f'{self.children.name} ("{self.side.parent}")'
            schema = f"{self.rows.name}." if connection.dialect.name == "sqlite" else ""
            connection.exec_driver_sql(f"CREATE INDEX {schema}by_parent_{self.children.name} ON {on}")


def staged_name(table: Table) -> str:
    """What the staged counterpart of a table of the mirror is called."""
    return f"staged_{table.name}"


def _staged(table: Table) -> Table:
    return Table(
        staged_name(table),
        MetaData(),
        Column("n", Integer, primary_key=True, autoincrement=False),
        *(Column(column.name, column.type) for column in table.columns),
        Column("seq", Integer),
        prefixes=["TEMPORARY"],
    )


_STAGED = {table.name: _staged(table) for side in SIDES.values() for table in (side.table, side.children)}
"""The same in every read, so that statements about them are made once."""


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _copy(connection: Connection, path: Path, table: Table) -> None:
    """To PostgreSQL, into a temporary table."""
    driver: Any = connection.connection.dbapi_connection
    table.create(connection)
    flags = [number for number, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
    file = sqlite3.connect(path)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({_columns(table)}) FROM STDIN") as copy:
        for found in file.execute(f"SELECT {_columns(table)} FROM {table.name}"):  # noqa: S608
            row = list(found)
            for flag in flags:
                row[flag] = bool(row[flag])
            copy.write_row(row)
    file.close()
    connection.exec_driver_sql(f"ANALYZE {table.name}")
    connection.commit()
