"""``kill -9`` at random moments while keys come and go, on SQLite and on PostgreSQL; then both sides are compared."""

from __future__ import annotations

import os
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.support.postgres import postgres_server
from tests.support.running import RunningService

from bench.comparison import Wrongs, await_change, settled
from bench.result import BenchResult
from bench.site import bench_lab
from bench.traffic import NO_LIMITS, Traffic
from keytrust.directory.domain import Domain
from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Action

USERS = 60
DATABASES = os.environ.get("KEYTRUST_BENCH_DATABASES", "sqlite,postgresql").split(",")
SECONDS = float(os.environ.get("KEYTRUST_BENCH_SECONDS", "inf"))
"""When to end, if there have not been so many kills by then."""
KILLS = int(os.environ.get("KEYTRUST_BENCH_KILLS", "200"))


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
    await_change(service)
    time.sleep(random.uniform(0.0, 0.6))
