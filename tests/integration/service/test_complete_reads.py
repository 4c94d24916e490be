"""Complete reads of both sides into the mirror, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from tests.support.directory import MemoryDirectory
from tests.support.memory_link import Given, MemoryLink, MemorySource, duty
from tests.support.world import account, cloud_user, guid, key, value

from keytrust.cloud.source import CloudUser, Reported
from keytrust.directory.account import Account
from keytrust.errors import CloudError
from keytrust.service import merging
from keytrust.service.duty import Duty
from keytrust.service.feeds import CloudFeed
from keytrust.service.loading import STORED, Loader, Read
from keytrust.service.mirror import NewValue
from keytrust.service.reading import Reading, read_apart
from keytrust.service.worker import Worker
from keytrust.store.database import open_store
from keytrust.store.lease import renewing
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users
from keytrust.sync.stored import StoredKey


@pytest.fixture(autouse=True)
def _other_processes_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.fixture
def store(database_url: str) -> Iterator[Engine]:
    engine = open_store(database_url)
    yield engine
    engine.dispose()


PEOPLE = ("alice", "bob", "carol")


def people(*numbers: int) -> tuple[CloudUser, ...]:
    return tuple(cloud_user(name, (key(number),)) for name, number in zip(PEOPLE, numbers, strict=True))


def holders(*numbers: int) -> tuple[Account, ...]:
    return tuple(account(name, value(name, number)) for name, number in zip(PEOPLE, numbers, strict=True))


def load(
    made: Duty, stamp: int, users: Any, found: Any, read: Read = Reading.parts, first: bool = False
) -> list[NewValue]:
    new: list[NewValue] = []
    with made.writing() as connection:
        made.mirror.save(connection, stamp=stamp)
    Loader(made, stamp, first=first, read=read, progress=lambda _side, _done: None, new_value=new.append).load(
        {"users": users, "accounts": found}
    )
    return new


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
    load(one, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), read=read_apart, first=True)
    read = content(one)
    load(one, 2, Given(()), Given(()), first=True)
    put(people(1, 2, 3), holders(1, 2, 3))(one)
    assert content(one) == read


def test_later_reads_bring_it_up_to_date_and_tell_of_new_values(store: Engine) -> None:
    made, _ = duty(store, MemorySource())
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    users, found = people(1, 9, 3)[:2], (*holders(1, 2, 3)[:1], account("bob", value("bob", 2), value("bob", 8)))
    new = load(made, 2, Given(users), Given(found), read=read_apart)
    after = content(made)
    assert [each.raw for each in new] == [value("bob", 8)]
    load(made, 3, Given(users), Given(found), first=True)
    assert content(made) == after
    assert load(made, 4, Given(users), Given(found)) == []


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
    loader = Loader(made, 2, first=False, read=Reading.parts, progress=progress, new_value=lambda _: None)
    with renewing(made.lease):
        loader.load({"users": while_reading, "accounts": Given(tuple(renamed))})
    assert served == ["reading", *(f"storing {number}" for number in range(1, 7))]


def test_a_read_that_breaks_off_drops_nobody(store: Engine) -> None:
    made, _ = duty(store, MemorySource())
    load(made, 1, Given(people(1, 2, 3)), Given(holders(1, 2, 3)), first=True)
    before = content(made)
    with pytest.raises(CloudError, match="broke off"):
        load(made, 2, Given(people(1, 2, 3)[:1], fault="it broke off"), Given(holders(1, 2, 3)), read=read_apart)
    assert content(made) == before
