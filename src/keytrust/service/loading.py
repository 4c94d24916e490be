"""Taking a complete read into the mirror: both sides at once, in batches, and only what differs from what is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from operator import itemgetter
from queue import Full, Queue

from sqlalchemy import Connection, Table, delete, func, select

from keytrust.directory.account import Account
from keytrust.service.duty import Duty
from keytrust.service.hashes import Hashes, hash64
from keytrust.service.mirror import NewValue, chunks
from keytrust.service.reading import Opener, Reading
from keytrust.service.sides import SIDES, Batch, Side, Tuples, fingerprint
from keytrust.store.mirror_tables import account_values
from keytrust.sync.chain import value_id

Read = Callable[[Reading], Iterator[Batch]]
_FIRST_ROWS = 40_000
"""Objects written in one transaction when the mirror is made: the more, the fewer times an index page is written."""
_BULK = ("PRAGMA cache_size = -65536", "PRAGMA wal_autocheckpoint = 50000")
_USUAL = ("PRAGMA cache_size = -2000", "PRAGMA wal_autocheckpoint = 1000")


class Loader:
    """One complete read.

    Args:
        duty: The domain.
        stamp: The read's number. Rows that carry it were brought by a feed meanwhile; they are fresher, and stay.
        first: Whether the mirror is made for the first time: then what is left of an earlier attempt is dropped.
        read: Reads one side: ``read_apart``, or in tests ``Reading.batches``.
        progress: Told side and number of objects.
        new_value: Told of values that were not there before.
    """

    def __init__(
        self,
        duty: Duty,
        stamp: int,
        *,
        first: bool,
        read: Read,
        progress: Callable[[str, int], None],
        new_value: Callable[[NewValue], None],
    ) -> None:
        self._duty = duty
        self._stamp = stamp
        self._first = first
        self._read = read
        self._progress = progress
        self._new_value = new_value
        self._visited = {side: Hashes() for side in SIDES}
        self._gathered: dict[str, list[Batch]] = {side: [] for side in SIDES}
        self._counts = dict.fromkeys(SIDES, 0)

    def load(self, openers: dict[str, Opener]) -> dict[str, int]:
        """Read all sides and take them in; returns how many objects each has.

        Raises:
            CloudError, DirectoryError, StoreError: it did not complete.
        """
        if self._first:
            self._forget_everything()
        readings = {side: self._reading(side, opener) for side, opener in openers.items()}
        for side, batch in _interleaved(self._read, readings):
            self._visited[side].add_all(batch.names)
            self._gathered[side].append(batch)
            if sum(len(each.changed) for each in self._gathered[side]) >= (_FIRST_ROWS if self._first else 1):
                self._take_gathered(side)
            self._counts[side] += batch.count
            self._progress(side, self._counts[side])
        for side in openers:
            self._take_gathered(side)
            self._drop_vanished(side)
        return dict(self._counts)

    def _reading(self, side: str, opener: Opener) -> Reading:
        table, known = SIDES[side].table, Hashes()
        if not self._first:
            query = select(table.c.digest).where(table.c.mirror == self._duty.mirror.id)
            with self._duty.reading() as connection:
                for row in connection.execution_options(yield_per=10_000).execute(query):
                    known.add(fingerprint(row[0]))
        with_objects = side == "accounts" and not self._first
        return Reading(side, opener, self._duty.mirror.id, self._stamp - 1, known.tobytes(), with_objects)

    def _forget_everything(self) -> None:
        with self._duty.writing() as connection:
            for side in SIDES.values():
                for table in (side.table, side.children):
                    connection.execute(delete(table).where(table.c.mirror == self._duty.mirror.id))

    def _take_gathered(self, side_name: str) -> None:
        gathered, self._gathered[side_name] = self._gathered[side_name], []
        parts = [batch for batch in gathered if batch.changed]
        if parts:
            self._take(side_name, parts[0] if len(parts) == 1 else _joined(parts))

    def _take(self, side_name: str, batch: Batch) -> None:
        side = SIDES[side_name]
        with self._duty.writing() as connection:
            fresher = set() if self._first else self._make_room(connection, side, batch)
            _tune(connection, _BULK)
            rows, children = batch.rows, batch.children
            if fresher:
                name = list(side.table.columns.keys()).index(side.name)
                parent = list(side.children.columns.keys()).index(side.parent)
                rows = [row for row in rows if row[name] not in fresher]
                children = [row for row in children if row[parent] not in fresher]
            insert_many(connection, side.table, rows)
            insert_many(connection, side.children, children)
            _tune(connection, _USUAL)

    def _make_room(self, connection: Connection, side: Side, batch: Batch) -> set[object]:
        """Drop the rows that the batch replaces; returns the names of those that are fresher than it."""
        mirror = self._duty.mirror.id
        name, parent = side.table.c[side.name], side.children.c[side.parent]
        fresher: set[object] = set()
        for chunk in chunks(batch.changed):
            query = select(name).where(
                side.table.c.mirror == mirror, name.in_(chunk), side.table.c.stamp >= self._stamp
            )
            fresher.update(connection.execute(query).scalars())
            old = [each for each in chunk if each not in fresher]
            if batch.objects:
                these = set(old)
                self._tell_new_values(connection, [each for each in batch.objects if each.guid in these])
            connection.execute(delete(side.children).where(side.children.c.mirror == mirror, parent.in_(old)))
            connection.execute(delete(side.table).where(side.table.c.mirror == mirror, name.in_(old)))
        return fresher

    def _tell_new_values(self, connection: Connection, accounts: list[Account]) -> None:
        of = account_values.c
        query = select(of.value_id).where(of.mirror == self._duty.mirror.id, of.guid.in_([a.guid for a in accounts]))
        known = set(connection.execute(query).scalars())
        for account in accounts:
            for raw in account.values:
                if value_id(account.guid, raw) not in known:
                    self._new_value(NewValue(account, raw))

    def _drop_vanished(self, side_name: str) -> None:
        """Drop the rows that the read did not see and no feed brought meanwhile."""
        side, visited, mirror = SIDES[side_name], self._visited[side_name], self._duty.mirror.id
        visited.freeze()
        name = side.table.c[side.name]
        with self._duty.reading() as connection:
            mine = select(func.count()).select_from(side.table).where(side.table.c.mirror == mirror)
            if connection.execute(mine).scalar_one() == len(visited):
                return  # whatever was seen is there, and nothing else is
            query = select(name).where(side.table.c.mirror == mirror, side.table.c.stamp < self._stamp)
            stored = (row[0] for row in connection.execution_options(yield_per=10_000).execute(query))
            gone = [each for each in stored if hash64(each.encode() if isinstance(each, str) else each) not in visited]
        for chunk in chunks(gone):
            with self._duty.writing() as connection:
                parent = side.children.c[side.parent]
                connection.execute(delete(side.children).where(side.children.c.mirror == mirror, parent.in_(chunk)))
                connection.execute(delete(side.table).where(side.table.c.mirror == mirror, name.in_(chunk)))


def _joined(parts: list[Batch]) -> Batch:
    return Batch(
        sum(part.count for part in parts),
        b"",
        [name for part in parts for name in part.changed],
        [row for part in parts for row in part.rows],
        [row for part in parts for row in part.children],
        [each for part in parts for each in part.objects],
    )


def _tune(connection: Connection, pragmas: tuple[str, ...]) -> None:
    if connection.dialect.name == "sqlite":
        for pragma in pragmas:
            connection.exec_driver_sql(pragma)


def insert_many(connection: Connection, table: Table, rows: Tuples) -> None:
    """Insert complete rows in the order of the table's columns; the later of two with one primary key counts."""
    if not rows:
        return
    keys = len(table.primary_key.columns)  # they come first in every table
    unique = sorted(
        {row[:keys]: row for row in rows}.values(), key=itemgetter(0, 1)
    )  # neighbours in the index together
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    if connection.dialect.name != "postgresql":
        marks = ", ".join("?" * len(table.columns))
        connection.exec_driver_sql(f"INSERT OR REPLACE INTO {table.name} ({names}) VALUES ({marks})", unique)  # noqa: S608
        return
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE incoming (LIKE {table.name}) ON COMMIT DROP")
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - the connection is open
    with driver.cursor() as cursor, cursor.copy(f"COPY incoming ({names}) FROM STDIN") as copy:
        for row in unique:
            copy.write_row(row)
    connection.exec_driver_sql(f"INSERT INTO {table.name} SELECT * FROM incoming ON CONFLICT DO NOTHING")  # noqa: S608
    connection.exec_driver_sql("DROP TABLE incoming")


def _interleaved(read: Read, readings: dict[str, Reading]) -> Iterator[tuple[str, Batch]]:
    """The batches of all sides as they come, each side read in a thread of its own, few batches ahead."""
    queue: Queue[tuple[str, Batch | BaseException | None]] = Queue(maxsize=2)
    given_up = threading.Event()

    def put(side: str, item: Batch | BaseException | None) -> bool:
        while not given_up.is_set():
            try:
                queue.put((side, item), timeout=0.2)
            except Full:
                continue
            return True
        return False

    def pump(side: str) -> None:
        try:
            for batch in read(readings[side]):
                if not put(side, batch):
                    return
            put(side, None)
        except BaseException as error:
            put(side, error)

    threads = [threading.Thread(target=pump, args=(side,), name=f"read {side}", daemon=True) for side in readings]
    for thread in threads:
        thread.start()
    try:
        running = len(threads)
        while running:
            side, item = queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield side, item
    finally:
        given_up.set()
        for thread in threads:
            thread.join(5)
