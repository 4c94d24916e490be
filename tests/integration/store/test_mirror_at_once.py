"""Feeds, worker and complete reads of one domain change the same rows at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.support.memory_link import MemorySource, duty
from tests.support.world import account, guid, value

from keytrust.service.duty import Duty
from keytrust.service.worklist import Priority
from keytrust.store.database import open_store


def _at_once(*works: Callable[[threading.Barrier], None]) -> None:
    """Each in a thread; each comes to the barrier in mid-work, and goes on alone when the other cannot come."""
    barrier = threading.Barrier(len(works))
    with ThreadPoolExecutor(len(works)) as threads:
        for future in [threads.submit(work, barrier) for work in works]:
            future.result(60)


def _meet(barrier: threading.Barrier) -> None:
    try:
        barrier.wait(1.0)
    except threading.BrokenBarrierError:
        return


def test_changes_of_the_same_accounts_in_another_order_do_not_break_each_other_off(database_url: str) -> None:
    made, _ = duty(open_store(database_url), MemorySource())
    people = [account("alice", value("alice", 1)), account("bob", value("bob", 2))]
    with made.writing() as connection:
        made.mirror.put_accounts(connection, people, 0)

    def change(number: int) -> Callable[[threading.Barrier], None]:
        def work(barrier: threading.Barrier) -> None:
            order = people if number % 2 else people[::-1]
            with made.writing() as connection:
                for each in order:
                    made.mirror.put_accounts(connection, [account(each.name, value(each.name, number + 3))], 0)
                    _meet(barrier)

        return work

    _at_once(change(1), change(2))


def test_an_account_that_two_feeds_put_on_the_list_in_one_moment_is_there_once(database_url: str) -> None:
    made, _ = duty(open_store(database_url), MemorySource())

    def work(barrier: threading.Barrier) -> None:
        with made.writing() as connection:
            made.worklist.add(connection, [guid("alice")], 0.0, Priority.CHANGE)
            _meet(barrier)

    _at_once(work, work)
    with made.reading() as connection:
        assert [entry.version for entry in made.worklist.due(connection, time.time(), 10)] == [2]


def test_a_domain_does_not_wait_for_another_and_a_lease_is_renewed_meanwhile(postgres_url: str) -> None:
    store = open_store(postgres_url)
    first, _ = duty(store, MemorySource())
    second, _ = duty(store, MemorySource(), domain_sid="S-1-5-21-9-9-9")

    def add(to: Duty) -> None:
        with to.writing() as connection:
            to.worklist.add(connection, [guid("alice")], 0.0, Priority.CHANGE)

    with first.writing(), ThreadPoolExecutor(1) as thread:
        thread.submit(add, second).result(60)
        assert thread.submit(first.lease.renew).result(60)
