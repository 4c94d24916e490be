"""Complete reads of both sides into the mirror, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select
from tests.support.directory import MemoryDirectory
from tests.support.memory_link import Given, MemoryLink, MemorySource, duty
from tests.support.world import account, cloud_user, guid, key, value

from keytrust.cloud.source import CloudUser, Reported
from keytrust.directory.account import Account
from keytrust.errors import CloudError
from keytrust.service import loading, merging
from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.feeds import CloudFeed
from keytrust.service.interleaving import Read, StopReadingError
from keytrust.service.loading import STORED, Loader
from keytrust.service.reading import Reading, ReadingApart
from keytrust.service.sides import SIDES
from keytrust.service.worker import Worker
from keytrust.store import row_lease
from keytrust.store.database import open_store
from keytrust.store.lease import renewing
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users, pending
from keytrust.sync.stored import StoredKey


@pytest.fixture(autouse=True)
def _other_processes_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.fixture
def store(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(row_lease, "LIFETIME", 600.0)  # nobody renews it here, and a loaded machine takes its time
    engine = open_store(database_url)
    yield engine
    engine.dispose()


PEOPLE = ("alice", "bob", "carol")


def people(*numbers: int) -> tuple[CloudUser, ...]:
    return tuple(cloud_user(name, (key(number),)) for name, number in zip(PEOPLE, numbers, strict=True))


def holders(*numbers: int) -> tuple[Account, ...]:
    return tuple(account(name, value(name, number)) for name, number in zip(PEOPLE, numbers, strict=True))


def load(made: Duty, stamp: int, users: Any, found: Any, read: Read = Reading.parts, first: bool = False) -> Loader:
    with made.writing() as connection:
        made.mirror.save(connection, stamp=stamp)
    loader = Loader(made, stamp, first=first, read=read, progress=lambda _side, _done: None)
    loader.load({"users": users, "accounts": found})
    return loader


def waiting(made: Duty) -> set[bytes]:
    """The accounts that are left to the worker."""
    with made.reading() as connection:
        return set(connection.execute(select(pending.c.guid)).scalars())


def content(made: Duty) -> list[set[tuple[Any, ...]]]:
    columns = (
        (cloud_users.c.id, cloud_users.c.anchor, cloud_users.c.sid, cloud_users.c["keys"]),
        (cloud_keys.c["user"], cloud_keys.c.key_id),
        (accounts.c.guid, accounts.c.anchor, accounts.c.sid, accounts.c.name),
        (account_values.c.guid, account_values.c.value_id, account_values.c.key_id),
    )
    with made.reading() as connection:
        return [{tuple(row) for row in connection.execute(select(*wanted))} for wanted in columns]


def put(users: tuple[CloudUser, ...], found: tuple[Account, ...]) -> Callable[[Duty], None]:
    def do(made: Duty) -> None:
        with made.writing() as connection:
            made.mirror.put_users(connection, users, 0)
            made.mirror.put_accounts(connection, found, 0)

    return do


def test_it_makes_the_mirror_that_the_feeds_would_have_made(store: Engine) -> None:
    one, _ = duty(store, MemorySource())
    load(one, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), read=ReadingApart, first=True)
    read = content(one)
    load(one, 2, Given(()), Given(()), first=True)
    put(people(1, 2, 3), holders(1, 2, 3))(one)
    assert content(one) == read


def test_later_reads_bring_it_up_to_date_but_for_new_values_which_are_left_to_the_worker(store: Engine) -> None:
    made, _ = duty(store, MemorySource())
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    assert waiting(made) == set()
    users, found = people(1, 9, 3)[:2], (*holders(1, 2, 3)[:1], account("bob", value("bob", 2), value("bob", 8)))
    load(made, 2, Given(users), Given(found), read=ReadingApart)
    assert waiting(made) == {guid("bob")}
    with made.writing() as connection:
        made.mirror.put_accounts(connection, found, 2)
    after = content(made)
    load(made, 3, Given(users), Given(found), first=True)
    assert content(made) == after
    with made.writing() as connection:
        connection.execute(delete(pending))
    load(made, 4, Given(users), Given(found))
    assert waiting(made) == set()


def test_a_new_value_is_told_by_the_next_read_when_the_first_to_see_it_dies_before_it_is_told(store: Engine) -> None:
    made, _ = duty(store, MemorySource())
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    found = (*holders(1, 2, 3)[:1], account("bob", value("bob", 2), value("bob", 8)), holders(1, 2, 3)[2])
    load(made, 2, Given(people(1, 2, 3)), Given(found))
    with made.writing() as connection:  # what the read had put there is lost: nobody relies on it
        connection.execute(delete(pending))
    load(made, 3, Given(people(1, 2, 3)), Given(found))
    told = told_by(made)
    Worker(made, MemoryLink(MemoryDirectory(*found))).work()
    assert told == [EventKind.UNEXPECTED_VALUE]


def test_of_too_many_new_values_some_are_taken_in_unjudged_and_counted(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "MOST_JUDGED", 1)
    made, _ = duty(store, MemorySource())
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    assert load(made, 2, Given(people(1, 2, 3)), Given(holders(4, 5, 6))).unjudged == 2
    assert len(waiting(made)) == 1


def told_by(made: Duty) -> list[EventKind]:
    told: list[EventKind] = []
    values = (EventKind.UNEXPECTED_VALUE, EventKind.FOREIGN_VALUE)
    made.events.subscribe(lambda event: told.append(event.kind) if event.kind in values else None)
    return told


def test_what_a_feed_brought_meanwhile_is_fresher_and_stays(store: Engine) -> None:
    made, _ = duty(store, MemorySource())
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    old = people(1, 2, 3)

    def while_reading() -> Iterator[CloudUser]:
        with made.writing() as connection:
            made.mirror.put_users(connection, [replace(old[0], keys=Reported((key(7),)))], 2)
            made.mirror.drop_users(connection, [old[1].id], 2)
        yield from (replace(old[0], keys=Reported(())), old[1], old[2])

    load(made, 2, while_reading, Given(holders(1, 2, 3)))
    keys = content(made)[1]
    assert keys == {(old[0].id, key(7).key_id), (old[2].id, key(3).key_id)}


def test_whoever_registers_during_a_read_is_served_at_once(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While both sides are read, and between any two transactions in which what they brought is taken in."""
    monkeypatch.setattr(merging, "EXCHANGED_AT_ONCE", 1)
    source, directory = MemorySource(), MemoryDirectory(*holders(1, 2, 3))
    made, _ = duty(store, source)
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    feed, worker = CloudFeed(made, lambda: None, lambda: None), Worker(made, MemoryLink(directory))
    served: list[str] = []

    def register(name: str, number: int, when: str) -> None:
        source.put(cloud_user(name, (key(number),)))
        feed.poll()
        worker.work()
        assert key(number).key_id in {StoredKey.read(raw).key_id for raw in directory.values[guid(name)]}
        served.append(when)

    def while_reading() -> Iterator[CloudUser]:
        yield from people(4, 5, 6)
        register("alice", 7, "reading")

    def progress(what: str, done: int) -> None:
        if what == STORED:
            register("bob", 10 + done, f"storing {done}")

    renamed = [replace(each, name=f"{each.name}-2") for each in holders(1, 2, 3)]
    with made.writing() as connection:
        made.mirror.save(connection, stamp=2)
    loader = Loader(made, 2, first=False, read=Reading.parts, progress=progress)
    with renewing(made.lease):
        loader.load({"users": while_reading, "accounts": Given(tuple(renamed))})
    assert served == ["reading", *(f"storing {number}" for number in range(1, 7))]


def test_a_read_that_breaks_off_drops_nobody(store: Engine) -> None:
    made, _ = duty(store, MemorySource())
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    before = content(made)
    with pytest.raises(CloudError, match="broke off"):
        load(made, 2, Given(people(1, 2, 3)[:1], fault="it broke off"), Given(holders(1, 2, 3)), read=ReadingApart)
    assert content(made) == before


def test_a_read_that_hangs_ends_when_the_term_does_and_leaves_no_process(store: Engine) -> None:
    made, _ = duty(store, MemorySource())
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    before, beside = content(made), children()
    ended: list[BaseException] = []

    def reading() -> None:
        try:
            load(made, 2, Given(people(1, 2, 3)[:1], hangs=120), Given(holders(1, 2, 3), hangs=120), read=ReadingApart)
        except StopReadingError as error:
            ended.append(error)

    thread = threading.Thread(target=reading)
    thread.start()
    while len(children() - beside) < len(SIDES):
        time.sleep(0.05)
    made.stop.set()
    thread.join(30)  # far less than it hangs
    assert ended
    assert children() <= beside
    assert content(made) == before


def children() -> set[str]:
    """The processes that this one has started, by any of its threads."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found.update((task / "children").read_text().split())
    return found
