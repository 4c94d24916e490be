"""Taking a complete read into the mirror: both sides at once, and only what differs from what is there."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, func, select

from keytrust.service.duty import Duty
from keytrust.service.hashes import Fingerprints, Hashes, hash64
from keytrust.service.interleaving import Read, interleaved
from keytrust.service.merging import Merge, delete_objects, merging_connection
from keytrust.service.mirror import chunks
from keytrust.service.reading import Opener, Part, Reading
from keytrust.service.sides import SIDES
from keytrust.service.staging import Staged, staging_folder
from keytrust.service.worklist import Priority

STORED = "stored"
"""What ``progress`` calls objects that are taken into the mirror, after both sides were read."""
MOST_JUDGED = 10_000
"""Accounts with new values that are looked at one by one after one complete read: so many have one cause."""


class Loader:
    """One complete read.

    Args:
        duty: The domain.
        stamp: The read's number. Rows that carry it were brought by a feed meanwhile; they are fresher, and stay.
        first: Whether the mirror is made for the first time: then what is left of an earlier attempt is dropped.
        read: Reads one side: ``ReadingApart``, or in tests ``Reading.parts``.
        progress: Told side (or ``STORED``) and number of objects.

    Attributes:
        unjudged: How many accounts with new values were too many to be looked at one by one.
    """

    def __init__(
        self,
        duty: Duty,
        stamp: int,
        *,
        first: bool,
        read: Read,
        progress: Callable[[str, int], None],
    ) -> None:
        self._duty = duty
        self._stamp = stamp
        self._first = first
        self._read = read
        self._progress = progress
        self._visited = {side: Hashes() for side in SIDES}
        self._to_be_judged: set[bytes] = set()
        self.unjudged = 0
        self._counts = dict.fromkeys(SIDES, 0)

    def load(self, openers: dict[str, Opener]) -> dict[str, int]:
        """Read all sides and take them in; returns how many objects each has. A read that breaks off changes nothing.

        Raises:
            CloudError, DirectoryError, StoreError: it did not complete.
            StopReadingError: the term ends.
        """
        with staging_folder(self._duty.store, self._duty.mirror.id) as folder:
            readings = {side: self._reading(side, opener, folder) for side, opener in openers.items()}
            for side, part in interleaved(self._read, readings, self._duty.stopping):
                self._visited[side].add_all(part.names)
                self._counts[side] += part.count
                self._note_new_values(part)
                self._progress(side, self._counts[side])
            self._take_in(readings)
        for side in openers:
            self._drop_vanished(side)
        return dict(self._counts)

    def _reading(self, side: str, opener: Opener, folder: Path) -> Reading:
        known, rule = array("q"), Fingerprints.drawn()
        if not self._first:
            table = SIDES[side].table
            query = select(table.c.digest).where(table.c.mirror == self._duty.mirror.id)
            with self._duty.reading() as connection:
                for some in connection.execution_options(yield_per=10_000).execute(query).partitions():
                    known.extend(rule.of(row[0]) for row in some if row[0])
        with_changed = side == "accounts" and not self._first
        file = folder / f"{side}.db"
        return Reading(side, opener, self._duty.mirror.id, self._stamp - 1, known.tobytes(), rule, with_changed, file)

    def _note_new_values(self, part: Part) -> None:
        if not part.changed:
            return
        with self._duty.reading() as connection:
            new_values = self._duty.mirror.new_values(connection, part.changed)
        for guid in {new.account.guid for new in new_values} - self._to_be_judged:
            if len(self._to_be_judged) < MOST_JUDGED:
                self._to_be_judged.add(guid)
            else:
                self.unjudged += 1

    def _take_in(self, readings: dict[str, Reading]) -> None:
        with merging_connection(self._duty) as connection:
            merge = Merge(self._duty, connection, self._stamp, lambda done: self._progress(STORED, done))
            alone = self._first and merge.forget_everything()
            staged = [self._staged(connection, side, reading.file) for side, reading in readings.items()]
            if alone:
                merge.fill(staged)
            else:
                self._leave_to_the_worker(connection, staged)
                for each in staged:
                    merge.exchange(each)
            merge.make_indexes()

    def _leave_to_the_worker(self, connection: Connection, staged: list[Staged]) -> None:
        """Accounts with new values are not taken in, but go on the worklist.

        The worker tells of new values before it mirrors them. Until it has, the mirror has the account as it was: if we
        are killed, the next complete read finds it again.
        """
        guids = sorted(self._to_be_judged)
        for each in staged:
            if each.side is SIDES["accounts"]:
                each.leave_out(connection, guids)
        with self._duty.writing_on(connection):
            self._duty.worklist.add(connection, guids, time.time(), Priority.RECONCILE)

    def _staged(self, connection: Connection, side: str, file: Path) -> Staged:
        staged, visited = Staged.opened(connection, SIDES[side], file), self._visited[side]
        visited.freeze()
        if len(visited) != self._counts[side]:
            staged.keep_the_latest(connection)
        return staged

    def _drop_vanished(self, side_name: str) -> None:
        """Drop the rows that the read did not see and no feed brought meanwhile."""
        side, visited, mirror = SIDES[side_name], self._visited[side_name], self._duty.mirror.id
        name = side.table.c[side.name]
        with self._duty.reading() as connection:
            mine = select(func.count()).select_from(side.table).where(side.table.c.mirror == mirror)
            if not self._to_be_judged and connection.execute(mine).scalar_one() == len(visited):
                return  # whatever was seen is there, and nothing else is
            query = select(name).where(side.table.c.mirror == mirror, side.table.c.stamp < self._stamp)
            stored = (row[0] for row in connection.execution_options(yield_per=10_000).execute(query))
            gone = [each for each in stored if hash64(each.encode() if isinstance(each, str) else each) not in visited]
        for chunk in chunks(gone):
            with self._duty.writing() as connection:
                delete_objects(connection, side, mirror, chunk)
