"""``kill -9`` at random moments while keys come and go, on SQLite and on PostgreSQL; then both sides are compared."""

from __future__ import annotations

import os
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from sqlalchemy import func, select
from tests.support.postgres import postgres_server
from tests.support.running import RunningService

from bench.result import BenchResult
from bench.site import bench_lab
from keytrust.credential import KeyCredentialLink
from keytrust.directory.domain import Domain
from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.store.tables import journal as journal_table
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Action

USERS = 60
DATABASES = os.environ.get("KEYTRUST_BENCH_DATABASES", "sqlite,postgresql").split(",")
SECONDS = float(os.environ.get("KEYTRUST_BENCH_SECONDS", "inf"))
"""When to end, if there have not been so many kills by then."""
KILLS = int(os.environ.get("KEYTRUST_BENCH_KILLS", "200"))


@dataclass
class Wrongs:
    """What must not be, counted."""

    missing: int = 0
    surplus: int = 0
    foreign_touched: int = 0
    unjournaled: int = 0
    twice: int = 0
    chain: str = ""
    which: list[str] = field(default_factory=list)
    rightly_again: int = 0
    """Keys written a second time after somebody had deleted them: not wrong, and counted."""

    def total(self) -> int:
        return self.missing + self.surplus + self.foreign_touched + self.unjournaled + self.twice + bool(self.chain)


@dataclass
class Traffic:
    """Keys that come and go while the service is killed again and again; remembers what is registered.

    Attributes:
        users: Whose keys come and go.
        most: How many keys a user has at most: with them the whole does not grow, however long it goes on.
        registered: KeyIDs by account; those of others than ``users`` stay as they are.
    """

    service: RunningService
    users: list[LabUser]
    seconds_between: float = 0.15
    most: float = inf
    registered: dict[str, list[bytes]] = field(default_factory=dict)
    revoked: int = 0
    cleared: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        failed: list[BaseException] = []

        def flow() -> None:
            try:
                while not self._stop.wait(self.seconds_between * random.uniform(0.2, 1.8)):
                    self._something_happens()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=flow)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
        if failed:
            raise failed[0]

    def somebody_clears(self, user: LabUser) -> None:
        """Somebody else deletes all values of an account; from when to when is remembered, as the journal writes it."""
        began = datetime.now(UTC).isoformat()
        self.service.delete_values(user)
        self.cleared.setdefault(user.sam, []).append((began, datetime.now(UTC).isoformat()))

    def rightly_again(self, name: str, written: str, again: str) -> bool:
        """Whether somebody cleared the account between two writes of one key to it."""
        return any(ended > written and began < again for began, ended in self.cleared.get(name, []))

    def _something_happens(self) -> None:
        user = random.choice(self.users)
        full = len(self.registered.get(user.sam, [])) >= self.most
        if (full or random.random() < 0.4) and self._may_be_revoked(user):
            self.revoked += len(self.registered.pop(user.sam))
            self.service.revoke(user)
        elif not full:
            self.register(user)

    def register(self, user: LabUser) -> None:
        """A new device of the user registers a key."""
        key = self.service.register(user)
        self.registered.setdefault(user.sam, []).append(self.service.key_id(key))

    def count(self) -> int:
        """How many keys are registered."""
        return sum(map(len, self.registered.values()))

    def _may_be_revoked(self, user: LabUser) -> bool:
        """Whether the user has keys, and so few that no limit is reached: what is held back would look like a fault.

        The highest limit there is, all keys within a day, is one of as many as are there when it is judged.
        """
        keys = len(self.registered.get(user.sam, []))
        left = self.count() - keys
        return keys > 0 and self.revoked + keys < left / 2


def run() -> list[BenchResult]:
    """Measure both databases, or those that KEYTRUST_BENCH_DATABASES names."""
    results = []
    with bench_lab() as lab, postgres_server() as postgres:
        for database in DATABASES:
            with tempfile.TemporaryDirectory() as folder, postgres.database() as url:
                store = url if database == "postgresql" else None
                began = time.monotonic()
                wrongs, writes, torn, kills = crash(lab, Path(folder), store, KILLS)
                results += [
                    BenchResult.at_most(f"crash.{database}_wrongs", wrongs.total(), "wrongs", 0),
                    BenchResult(f"crash.{database}_kills", kills, "kills"),
                    BenchResult(f"crash.{database}_writes", writes, "writes"),
                    BenchResult(f"crash.{database}_torn", torn, "changes"),
                    BenchResult(f"crash.{database}_seconds", time.monotonic() - began, "s"),
                ]
                if wrongs.total():
                    print(wrongs)
    return results


NO_LIMITS = {"policy": {"removal_limit_per_day": 100_000, "removal_share_per_day": 1.0, "removal_share": 1.0}}


def crash(lab: Lab, folder: Path, store: str | None, kills: int, people: int = USERS) -> tuple[Wrongs, int, int, int]:
    """Kill so often while keys come and go.

    Returns:
        What is wrong afterwards, how many changes the journal shows, how many of unknown outcome (those that a kill
        hit after their intent was journaled), and how many kills there were.
    """
    users = [LabUser(f"c{secrets.token_hex(4)}") for _ in range(people)]
    lab.add_users(users)
    try:
        with RunningService.beside_a_registry(lab, folder, store) as service:
            service.extra = NO_LIMITS
            service.enrol(*users)
            planted = {user.sam: service.plant(user).encode() for user in users[::10]}
            service.start()
            traffic = Traffic(service, users)
            began, number = time.monotonic(), 0
            with traffic.flowing():
                while number < kills and time.monotonic() - began < SECONDS:
                    number += 1
                    _at_a_random_moment(service)
                    service.kill()
                    service.warm = number % 10 != 0
                    service.start(wait=False)
                    if number % 20 == 0:
                        print(f"crash: {number} of {kills} kills", file=sys.stderr, flush=True)
            wrongs, writes = settled(service, users, traffic, planted)
            return wrongs, writes, _torn_and_removals_without_an_entry(service, wrongs), number
    finally:
        lab.delete_users(users)


def _torn_and_removals_without_an_entry(service: RunningService, wrongs: Wrongs) -> int:
    """Nobody else deletes anything here: what was there and is not any more has been removed by an entry."""
    engine = open_store(service.store)
    added: dict[tuple[bytes, bytes], str] = {}
    entries = Journal(engine).entries()
    for entry in entries:
        value = (entry.change.account.guid, entry.change.value)
        if entry.change.action is Action.REMOVE:
            added.pop(value, None)
        elif entry.outcome is Outcome.CONFIRMED:
            added[value] = entry.change.account.name
    engine.dispose()
    with Domain(service.settings.need_directory()) as domain:
        there = domain.values_of(list({guid for guid, _ in added}))
    gone = [name for (guid, value), name in added.items() if value not in there.get(guid, ())]
    wrongs.unjournaled += len(gone)
    wrongs.which += [f"{name}: a value is gone without an entry" for name in gone]
    return sum(entry.outcome is None for entry in entries)


def _at_a_random_moment(service: RunningService) -> None:
    """While it starts (one in eight), soon after it became the writer (one in eight), or once it has begun to write."""
    kind = random.random()
    if kind < 0.125:
        time.sleep(random.uniform(0.0, 1.5))
        return
    service.eventually(service.is_writer, "a writer")
    if kind < 0.25:
        time.sleep(random.uniform(0.0, 3.0))
        return
    before = journaled(service)
    service.eventually(lambda: journaled(service) > before, "a change")
    time.sleep(random.uniform(0.0, 0.6))


def journaled(service: RunningService) -> int:
    """How many changes its journal has."""
    engine = open_store(service.store)
    with engine.connect() as connection:
        rows: int = connection.execute(select(func.max(journal_table.c.seq))).scalar() or 0
    engine.dispose()
    return rows


def settled(
    service: RunningService, users: list[LabUser], traffic: Traffic, planted: dict[str, bytes]
) -> tuple[Wrongs, int]:
    """What is wrong when everything has had time to come to rest: a minute in which nothing gets better."""
    deadline, least = time.monotonic() + 60, None
    while True:
        wrongs = compare(service, users, traffic, planted)
        if least is None or wrongs.total() < least:
            deadline, least = time.monotonic() + 60, wrongs.total()
        if not wrongs.total() or time.monotonic() > deadline:
            break
        time.sleep(1)
    if wrongs.total():
        print("the service said at last:", *service.log.read_text().splitlines()[-20:], sep="\n", file=sys.stderr)
    service.stop()
    engine = open_store(service.store)
    journal = Journal(engine)
    entries = journal.entries()
    try:
        journal.verify()
    except Exception as error:
        wrongs.chain = str(error)
    written: dict[tuple[bytes, bytes], str] = {}
    for entry in entries:
        if entry.outcome is Outcome.CONFIRMED:
            name, key = entry.change.account.name, (entry.change.account.guid, entry.change.key_id)
            before = written.pop(key, None)
            if entry.change.action is Action.ADD:
                written[key] = entry.at
                if before is not None and traffic.rightly_again(name, before, entry.at):
                    wrongs.rightly_again += 1
                elif before is not None:
                    wrongs.twice += 1
                    wrongs.which.append(f"{name}: {key[1].hex()[:8]}, written {before}, again {entry.at} ({entry.run})")
    engine.dispose()
    return wrongs, sum(entry.outcome is Outcome.CONFIRMED for entry in entries)


def compare(service: RunningService, users: list[LabUser], traffic: Traffic, planted: dict[str, bytes]) -> Wrongs:
    """Both sides, value by value."""
    wrongs = Wrongs()
    engine = open_store(service.store)
    journal = Journal(engine)
    with Domain(service.settings.need_directory()) as domain:
        accounts = {account.name: account for account in domain.accounts()}
    for user in users:
        account = accounts[user.sam]
        wanted = set(traffic.registered.get(user.sam, []))
        foreign = planted.get(user.sam)
        wrongs.foreign_touched += foreign is not None and foreign not in account.values
        ours = [value for value in account.values if value != foreign]
        there = [KeyCredentialLink.parse(value).credential.key_id for value in ours]
        unjournaled = sum(journal.wrote(account.guid, value) is None for value in ours)
        wrongs.missing += len(wanted - set(there))
        wrongs.surplus += len(there) - len(wanted & set(there))
        wrongs.unjournaled += unjournaled
        if wanted != set(there) or len(there) != len(wanted) or unjournaled:
            wrongs.which.append(
                f"{user.sam}: wanted {_short(wanted)}, there {_short(there)}, {unjournaled} of these not in the journal"
            )
    engine.dispose()
    return wrongs


def _short(key_ids: Iterable[bytes | None]) -> list[str]:
    return sorted((key_id or b"").hex()[:8] for key_id in key_ids)
