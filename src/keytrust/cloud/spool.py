"""The pages of one read, kept on disk until the last one has come, in memory that does not grow with their number."""

from __future__ import annotations

import itertools
import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from keytrust.cloud.diagnosis import NOT_DONE
from keytrust.cloud.pages import spooled_items
from keytrust.cloud.replays import merge_copies
from keytrust.cloud.source import CloudUser
from keytrust.cloud.user_json import parse_user, user_id
from keytrust.errors import CloudError

MAX_VERSIONS = 1000
"""A user of whom a read says more different things than this is damaged or hostile."""

_IN_MEMORY = 2**20
_CACHE_KIB = 4096
_SIZE_BYTES = 8
_TABLES = """
CREATE TABLE seen (hash INTEGER PRIMARY KEY, page INTEGER NOT NULL);
CREATE TABLE replayed (hash INTEGER PRIMARY KEY);
CREATE TABLE copies (hash INTEGER NOT NULL, body TEXT NOT NULL);
"""


class Spool:
    """Pages in a file without a name, and an index of who is in them in a database without a name.

    Users are told apart by 64-bit hashes of their ids. Two ids with one hash are only looked at twice.

    Args:
        name: Whose pages these are, for errors.

    Raises:
        CloudError: there is no room for them on disk; from any method.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._pages = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by __exit__
        # An empty name is a private database on disk, gone when it is closed (sqlite.org, "In-Memory Databases").
        self._index = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._index.executescript(f"PRAGMA journal_mode = OFF; PRAGMA cache_size = -{_CACHE_KIB}; BEGIN; {_TABLES}")
        self.users = 0
        """How many different users the pages have brought."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._index.close()
        self._file.close()

    def add(self, body: bytes, items: Sequence[object]) -> int:
        """Keep a page: its bytes, and its decoded items. Returns how many users it brought that were not there yet."""
        self._pages += 1
        hashes = [hash(user_id(item)) for item in items]
        try:
            self._file.write(len(body).to_bytes(_SIZE_BYTES, "big"))
            self._file.write(body)
            statement = "INSERT OR IGNORE INTO seen VALUES (?, ?)"
            new = self._index.executemany(statement, ((each, self._pages) for each in hashes)).rowcount if hashes else 0
            if new < len(hashes):
                self._note_replays(hashes)
        except (OSError, sqlite3.Error) as error:
            raise self._no_room(error) from error
        self.users += new
        return new

    def read(self) -> Iterator[CloudUser]:
        """Every user once; those that were reported more than once come last, merged."""
        try:
            self._file.seek(0)
            replays = self._index.execute("SELECT EXISTS (SELECT 1 FROM replayed)").fetchone()[0]
            while size := self._file.read(_SIZE_BYTES):
                for item in spooled_items(self._file.read(int.from_bytes(size, "big"))):
                    if not replays or not self._set_aside(item):
                        yield parse_user(item)
            if replays:
                yield from self._merged()
        except (OSError, sqlite3.Error) as error:
            raise self._no_room(error) from error

    def _note_replays(self, hashes: Sequence[int]) -> None:
        again = {each for each, count in Counter(hashes).items() if count > 1}
        for each in set(hashes) - again:
            (page,) = self._index.execute("SELECT page FROM seen WHERE hash = ?", (each,)).fetchone()
            if page != self._pages:
                again.add(each)
        self._index.executemany("INSERT OR IGNORE INTO replayed VALUES (?)", ((each,) for each in again))

    def _set_aside(self, item: object) -> bool:
        digest = hash(user_id(item))
        if self._index.execute("SELECT 1 FROM replayed WHERE hash = ?", (digest,)).fetchone() is None:
            return False
        self._index.execute("INSERT INTO copies VALUES (?, ?)", (digest, json.dumps(item)))
        return True

    def _merged(self) -> Iterator[CloudUser]:
        # Copies that are alike count as one: they say nothing else than one of them.
        rows = self._index.execute("SELECT DISTINCT hash, body FROM copies ORDER BY hash")
        for _, group in itertools.groupby(rows, key=lambda row: row[0]):
            versions = [json.loads(body) for _, body in itertools.islice(group, MAX_VERSIONS + 1)]
            if len(versions) > MAX_VERSIONS:
                raise CloudError(
                    f"{self._name} says more than {MAX_VERSIONS} different things of one user",
                    not_done=NOT_DONE,
                    remedy="look at what the service sends",
                    detail=user_id(versions[0]),
                )
            users: dict[str, list[CloudUser]] = {}
            for version in versions:
                users.setdefault(user_id(version), []).append(parse_user(version))
            for copies in users.values():
                yield merge_copies(copies)

    def _no_room(self, error: Exception) -> CloudError:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return CloudError(
            f"the pages of {self._name} cannot be kept in a temporary file: {why}",
            not_done=NOT_DONE,
            remedy=f"make room in {tempfile.gettempdir()}, or set TMPDIR",
        )
