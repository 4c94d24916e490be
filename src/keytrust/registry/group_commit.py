"""Group commit: changes that wait for the disk at the same time share one commit, and so one fsync.

SQLite has one writer and syncs at each commit; alone, that would make a slow disk the limit however many clients there
are. Whoever comes while a commit is under way joins the next one. PostgreSQL does the same by itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

_LARGEST = 64
"""Changes in one commit: the first of them waits for the last."""

T = TypeVar("T")


class _Change(Generic[T]):
    """Somebody's change, and what became of it."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.decided = False
        self._value: T | None = None
        self._error: BaseException | None = None

    def make(self, connection: Connection) -> None:
        """Do it in a savepoint of its own: if it fails, the others know nothing of it.

        Raises:
            DBAPIError: the database itself failed. SQLite may have rolled back everything by then, so nothing that is
                in this transaction can be relied on.
        """
        try:
            with connection.begin_nested():
                self._value = self.work(connection)
        except Exception as error:
            if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
                raise
            self._error = error

    def fail(self, error: BaseException) -> None:
        """The commit failed: whatever it was, it has not happened."""
        self._error = error

    def result(self) -> T:
        """What the work returned. Raises what it raised, or the commit."""
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # decided and no error: it is there


class GroupCommit:
    """Runs changes in shared transactions. Safe to use from many threads; none of its own.

    Args:
        write: Opens a transaction that is durable when its block has ended.
    """

    def __init__(self, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._write = write
        self._turn = threading.Lock()
        self._waiting: deque[_Change[object]] = deque()

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction; durable on return. Raises what it raises, and then nothing was changed."""
        change = _Change(work)
        self._waiting.append(change)  # type: ignore[arg-type]  # only run, never asked for its value as an object
        # Whoever gets the turn first commits for all who wait, who then find theirs done.
        while not change.decided:
            with self._turn:
                if not change.decided:
                    self._commit()
        return change.result()

    def _commit(self) -> None:
        group: list[_Change[object]] = []
        try:
            with self._write() as connection:
                while self._waiting and len(group) < _LARGEST:
                    change = self._waiting.popleft()
                    group.append(change)
                    change.make(connection)
        except BaseException as error:
            if not group:  # no transaction could be had: nobody's in particular is at fault, so it is the first one's
                group.append(self._waiting.popleft())
            for change in group:
                change.fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            for change in group:
                change.decided = True
