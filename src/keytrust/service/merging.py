"""Taking what a complete read has brought into the mirror, by SQL over sets and in short transactions.

A mirror that is alone in its tables and made for the first time is filled in the order of the tables, before their
indexes: a million rows that come in any order rewrite each page of an index hundreds of times. Else the rows that
changed are exchanged, some thousands at a time, and in between whoever waits to write gets his turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from keytrust.database import writing_on
from keytrust.service.duty import Duty
from keytrust.service.mirror import keys_of
from keytrust.service.sides import SIDES, Side
from keytrust.service.staging import Staged
from keytrust.store.database import store_faults
from keytrust.store.mirror_tables import cloud_keys

FILLED_AT_ONCE, EXCHANGED_AT_ONCE = 50_000, 5_000
"""Objects in one transaction."""
_TURN_SECONDS = 0.15
"""Left to others between two transactions: SQLite lets those who wait look ten times a second."""
_SETTINGS = ("threads = 2", "journal_size_limit = 67108864", "synchronous = NORMAL")
"""With ``NORMAL`` a power cut may take the latest of these commits, whose rows are read anew: ``rebuilt`` is not set
yet. What others commit, the journal above all, is on disk when they are told so as always."""

_SORTING_KIB, _EXCHANGING_KIB = 4096, 65_536
"""SQLite's cache. It sorts as much at once as that holds, and is quickest when the processor's cache holds it too: the
indexes of a million users took 10.2 s with 64 MiB, 8.4 s with 16 and 6.3 s with 4. Exchanged rows are all over the
tables."""

_INDEXED = ("anchor", "sid")
"""Columns of both sides' objects that are in indexes beside their names."""


@contextmanager
def merging_connection(duty: Duty) -> Iterator[Connection]:
    """A connection for merging alone: it is not used again, so that its settings are nobody else's."""
    with store_faults(duty.store), duty.store.connect() as connection:
        connection.detach()
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.dbapi_connection
            for setting in _SETTINGS:
                driver.execute(f"PRAGMA {setting}")
        yield connection


class Merge:
    """Takes staged rows into one mirror.

    Args:
        duty: The domain.
        connection: From ``merging_connection``.
        stamp: The read's number. Rows that carry it were brought by a feed meanwhile; they are fresher, and stay.
        done: Told how many objects have been taken in.
    """

    def __init__(self, duty: Duty, connection: Connection, stamp: int, done: Callable[[int], None]) -> None:
        self._duty = duty
        self._connection = connection
        self._stamp = stamp
        self._done = done
        self._count = 0

    # -- made for the first time --------------------------------------------------------------------------------

    def forget_everything(self) -> bool:
        """Drop what is left of an earlier attempt; whether the tables are empty then."""
        alone = True
        for side in SIDES.values():
            for table in (side.children, side.table):
                alone = self._forget(table) and alone
        return alone

    def fill(self, staged: list[Staged]) -> None:
        """Fill empty tables; their indexes are dropped for it, and made by ``make_indexes``."""
        for each in staged:
            for index in (*each.side.table.indexes, *each.side.children.indexes):
                with self._defining():
                    index.drop(self._connection, checkfirst=True)
        self._set_cache(_SORTING_KIB)
        for each in staged:
            for _ in self._filled(each.side.children, each.children):
                self._tell(0)
            for objects in self._filled(each.side.table, each.rows):
                self._tell(objects)

    def _filled(self, table: Table, source: Table) -> Iterator[int]:
        """Fill one table; how many rows each transaction brought, when it is done."""
        for low, high in self._parts(source, FILLED_AT_ONCE):
            with self._writing():
                rows = select(*_columns(source)).where(source.c.n > low, source.c.n <= high).order_by(source.c.n)
                self._insert(table, rows)
            yield high - low

    def make_indexes(self) -> None:
        """Make those indexes of the mirror's tables that are not there: a read that was killed may have left none."""
        self._set_cache(_SORTING_KIB)
        for side in SIDES.values():
            for table in (side.table, side.children):
                for index in sorted(table.indexes, key=lambda each: str(each.name)):
                    with self._defining():
                        index.create(self._connection, checkfirst=True)
                if self._connection.dialect.name == "postgresql":
                    with self._defining():
                        self._connection.exec_driver_sql(f"ANALYZE {table.name}")

    def _forget(self, table: Table) -> bool:
        with self._writing():
            mine = table.c.mirror == self._duty.mirror.id
            others = or_(table.c.mirror < self._duty.mirror.id, table.c.mirror > self._duty.mirror.id)
            alone = self._connection.execute(select(literal(1)).where(others).limit(1)).first() is None
            if alone:
                # Without a condition SQLite drops pages unread. PostgreSQL could hit rows that another has just made.
                whole = self._connection.dialect.name == "sqlite"
                self._connection.execute(delete(table) if whole else delete(table).where(mine))
                return True
        keys = list(table.primary_key.columns)
        some = select(*keys).where(mine).limit(EXCHANGED_AT_ONCE)
        gone = EXCHANGED_AT_ONCE
        while gone == EXCHANGED_AT_ONCE:
            with self._writing():
                gone = self._connection.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount
            self._give_way()
        return False

    # -- brought up to date -------------------------------------------------------------------------------------

    def exchange(self, staged: Staged) -> None:
        """Put the staged rows in the place of those that are there."""
        staged.find_children_by_parent(self._connection)
        self._set_cache(_EXCHANGING_KIB)
        for low, high in self._parts(staged.rows, EXCHANGED_AT_ONCE):
            with self._writing():
                self._exchange(staged, low, high)
            self._tell(high - low)
            self._give_way()

    def _exchange(self, staged: Staged, low: int, high: int) -> None:
        side, connection, mirror = staged.side, self._connection, self._duty.mirror.id
        name, new_name, parent = side.table.c[side.name], staged.rows.c[side.name], staged.children.c[side.parent]
        part = and_(staged.rows.c.n > low, staged.rows.c.n <= high)
        same = and_(side.table.c.mirror == mirror, name == new_name)
        fresher = select(name).join(staged.rows, same).where(part, side.table.c.stamp >= self._stamp)
        if kept := list(connection.execute(fresher).scalars()):
            part = and_(part, new_name.not_in(kept))
        names = select(new_name).where(part)
        # Row by row what differs, and no column without need: each index touched is a page of it written.
        children, old = side.children, belonging_to(side, mirror, names)
        connection.execute(delete(children).where(old, ~exists().where(*_same(children, staged.children))))
        self._insert(
            children,
            select(*_columns(staged.children)).where(
                parent.in_(names), ~exists().where(children.c.mirror == mirror, *_same(children, staged.children))
            ),
        )
        lasting = [column.name for column in side.table.columns if column.name not in ("mirror", side.name, *_INDEXED)]
        unmoved = [side.table.c[each].is_not_distinct_from(staged.rows.c[each]) for each in _INDEXED]
        connection.execute(
            update(side.table).values({each: staged.rows.c[each] for each in lasting}).where(same, part, *unmoved)
        )
        moved = select(new_name).join(side.table, same).where(part, side.table.c.digest != staged.rows.c.digest)
        connection.execute(delete(side.table).where(side.table.c.mirror == mirror, name.in_(moved)))
        self._insert(side.table, select(*_columns(staged.rows)).where(part, ~exists().where(same)))

    # -- helpers ------------------------------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._duty.writing_on(self._connection):
            yield

    @contextmanager
    def _defining(self) -> Iterator[None]:
        """A transaction without the lease, whose renewal would wait for an index; anybody may make or drop one."""
        with store_faults(self._duty.store), writing_on(self._connection):
            yield

    def _set_cache(self, kib: int) -> None:
        if self._connection.dialect.name == "sqlite":
            driver: Any = self._connection.connection.dbapi_connection
            driver.execute(f"PRAGMA cache_size = -{kib}")

    def _insert(self, table: Table, rows: Select[Any]) -> None:
        self._connection.execute(insert(table).from_select([column.name for column in table.columns], rows))

    def _parts(self, source: Table, size: int) -> Iterator[tuple[int, int]]:
        with self._writing():
            last = self._connection.execute(select(func.max(source.c.n))).scalar() or 0
        for start in range(0, last, size):
            yield start, min(start + size, last)

    def _tell(self, count: int) -> None:
        self._count += count
        self._done(self._count)

    def _give_way(self) -> None:
        self._duty.stop.wait(_TURN_SECONDS)


def delete_objects(connection: Connection, side: Side, mirror: int, names: Sequence[Any]) -> None:
    """Delete the rows of objects, and of what belongs to them."""
    connection.execute(delete(side.children).where(belonging_to(side, mirror, names)))
    connection.execute(delete(side.table).where(side.table.c.mirror == mirror, side.table.c[side.name].in_(names)))


def belonging_to(side: Side, mirror: int, names: Select[Any] | Sequence[Any]) -> ColumnElement[bool]:
    """Which rows belong to objects whose own rows are there."""
    if side.children is cloud_keys:
        return keys_of(mirror, names)
    return and_(side.children.c.mirror == mirror, side.children.c[side.parent].in_(names))


def _same(one: Table, other: Table) -> Iterator[ColumnElement[bool]]:
    """One thing in both, by the first's primary key."""
    return (column == other.c[column.name] for column in one.primary_key.columns if column.name != "mirror")


def _columns(source: Table) -> list[Any]:
    return [column for column in source.columns if column.name not in ("n", "seq")]
