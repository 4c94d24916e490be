"""Changes that come at the same time share a commit, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from keytrust.registry import Database
from keytrust.registry.group_commit import GroupCommit
from keytrust.registry.tables import meta


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/registry.db")
    yield opened
    opened.close()


class Slow:
    """A database whose commits wait until they are let through, and are counted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.go = threading.Event()
        self.began = threading.Event()
        self.commits = 0
        self.failing = False

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self._database.write() as connection:
            yield connection
            self.began.set()
            assert self.go.wait(30)
            if self.failing:
                raise OSError("the disk is full")
            self.commits += 1


def put(name: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(insert(meta).values(name=name, value="x"))
        return name

    return work


def stored(database: Database) -> set[str]:
    with database.read() as connection:
        return {name for name in connection.execute(select(meta.c.name)).scalars() if name.startswith("n")}


def with_others_waiting(slow: Slow, works: list[Callable[[Connection], Any]]) -> list[Future[Any]]:
    """Run the first, and while its commit is under way all others; let the commits go when all of them wait."""
    group = GroupCommit(slow.write)
    pool = ThreadPoolExecutor(len(works))
    first = pool.submit(group.run, works[0])
    assert slow.began.wait(30)
    others = [pool.submit(group.run, work) for work in works[1:]]
    deadline = threading.Event()
    while len(group._waiting) < len(others):
        assert not deadline.wait(0.005)
    slow.go.set()
    pool.shutdown()
    return [first, *others]


def test_those_who_wait_share_one_commit(database: Database) -> None:
    slow = Slow(database)
    results = with_others_waiting(slow, [put(f"n{number}") for number in range(12)])
    assert [result.result() for result in results] == [f"n{number}" for number in range(12)]
    assert slow.commits == 2
    assert len(stored(database)) == 12


def test_a_change_that_fails_is_nobody_elses_business(database: Database) -> None:
    def half(connection: Connection) -> None:
        put("n-half")(connection)
        raise ValueError("refused")

    slow = Slow(database)
    results = with_others_waiting(slow, [put("n0"), put("n1"), half, put("n1"), put("n2")])
    assert [results[index].result() for index in (0, 1, 4)] == ["n0", "n1", "n2"]
    with pytest.raises(ValueError, match="refused"):
        results[2].result()
    with pytest.raises(IntegrityError):
        results[3].result()
    assert stored(database) == {"n0", "n1", "n2"}


def test_when_the_commit_fails_nobody_is_told_that_it_is_done(database: Database) -> None:
    slow = Slow(database)
    slow.failing = True
    results = with_others_waiting(slow, [put(f"n{number}") for number in range(5)])
    for result in results:
        with pytest.raises(OSError, match="full"):
            result.result()
    assert stored(database) == set()


def test_when_the_database_fails_within_a_change_nothing_of_that_commit_is_relied_on(database: Database) -> None:
    def rolled_back(connection: Connection) -> None:
        # What SQLite does by itself on a full disk, in the middle of a transaction.
        connection.connection.rollback()
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    slow = Slow(database)
    results = with_others_waiting(slow, [put("n0"), put("n1"), rolled_back, put("n2")])
    assert results[0].result() == "n0"
    for result in results[1:3]:
        with pytest.raises(OperationalError):
            result.result()
    assert results[3].result() == "n2"
    assert stored(database) == {"n0", "n2"}


def test_when_there_is_no_transaction_to_be_had_everybody_is_told(database: Database) -> None:
    @contextmanager
    def write() -> Iterator[Connection]:
        raise OSError("no database")
        yield

    group = GroupCommit(write)
    for _ in range(3):
        with pytest.raises(OSError, match="no database"):
            group.run(put("n"))


def test_many_threads_get_their_own_results(database: Database) -> None:
    with ThreadPoolExecutor(16) as pool:
        names = [f"n{number}" for number in range(300)]
        assert list(pool.map(lambda name: database.transact(put(name)), names)) == names
    assert len(stored(database)) == 300
