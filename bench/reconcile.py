"""Complete reads of both sides, compared: into an empty mirror; once more with nothing changed; with a tenth changed.

Graph's JSON pages and LDAP entries are played from files and parsed each time, whether or not they changed; each user
has one key, and everybody is in step. During the last read somebody registers a key every second, and is served
meanwhile. Memory is the largest sum over this process and the two that read. ``_cpu`` is processor time of all of them:
on a machine that others use it says more than seconds do. ``KEYTRUST_BENCH_USERS=10000000`` measures another size, and
``KEYTRUST_BENCH_STORE`` another store.

Measured on two quiet cores, with 1,000,000 users: first 45 s (78 s of processor time), again 26 s (39 s), a tenth
changed 42 s, 40 registrations meanwhile within 0.21 s each, 371 MB. Beside other work the first took up to 73 s. With
10,000,000: 472 s (798 s), 288 s (426 s), 508 s, 471 within 2.2 s each, 1,215 MB.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.meanwhile import ChangingSource, Meanwhile
from bench.population import PlayedDirectory, PlayedSource, make
from bench.result import BenchResult
from keytrust.database import writing
from keytrust.memory import relax_garbage_collection
from keytrust.service.duty import Duty
from keytrust.service.events import Events
from keytrust.service.feeds import CloudFeed
from keytrust.service.loading import Loader
from keytrust.service.mirror import Mirror
from keytrust.service.reading import ReadingApart
from keytrust.service.reconcile import out_of_step
from keytrust.service.settings import ServiceSettings
from keytrust.store.database import open_store
from keytrust.store.lease import acquire, renewing
from keytrust.sync.journal import Journal
from keytrust.sync.policy import Policy

MILLION = 1_000_000
USERS = int(os.environ.get("KEYTRUST_BENCH_USERS", str(MILLION)))
TARGET_SECONDS, TARGET_MEGABYTES = 60.0, 500.0
TARGET_MEANWHILE_SECONDS = 5.0
TARGET_CYCLE_SECONDS, TARGET_GROWTH_MEGABYTES = 1.0, 5.0
CYCLES, WARM_UP = 600, 300
"""Memory is compared after so many: what the reads gave back is first taken up again."""
TENTH = 10


def run() -> list[BenchResult]:
    """Measure in a fresh process."""
    found = measure()
    seconds = TARGET_SECONDS * USERS / MILLION
    return [
        BenchResult("reconcile.users", USERS, "users"),
        BenchResult.at_most("reconcile.first", found["first"], "s", seconds),
        BenchResult("reconcile.first_cpu", found["first_cpu"], "s"),
        BenchResult.at_most("reconcile.again", found["again"], "s", seconds),
        BenchResult("reconcile.again_cpu", found["again_cpu"], "s"),
        BenchResult("reconcile.tenth_changed", found["tenth"], "s"),
        BenchResult("reconcile.registered_meanwhile", found["meanwhile_count"], "keys"),
        BenchResult.at_most("reconcile.longest_meanwhile", found["meanwhile"], "s", TARGET_MEANWHILE_SECONDS),
        # Of another size what counts is that it is far from growing as the number does.
        BenchResult.at_most("reconcile.memory", found["megabytes"], "MB", TARGET_MEGABYTES)
        if USERS == MILLION
        else BenchResult("reconcile.memory", found["megabytes"], "MB"),
    ]


@cache
def measure() -> dict[str, float]:
    """Make the population, and run the measurement in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), USERS)
        done = subprocess.run(
            [sys.executable, "-m", "bench.reconcile", folder],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _measure(folder: Path) -> dict[str, float]:
    relax_garbage_collection()
    store = open_store(os.environ.get("KEYTRUST_BENCH_STORE", f"sqlite:///{folder}/keytrust.db"))
    with writing(store) as connection:
        mirror = Mirror.open(connection, domain_sid="S-1-5-21-1", name="corp.example", source="played")
        mirror.save(connection, cloud_cursor="0")
    lease = acquire(store, "S-1-5-21-1", "bench")
    assert lease is not None
    source = ChangingSource(folder)
    duty = Duty("corp.example", "S-1-5-21-1", source, store, Policy(), ServiceSettings(), Events(), lease, mirror)
    memory = _Memory()
    with renewing(lease):
        first, again = _read(duty, folder, 1), _read(duty, folder, 2)
        meanwhile = Meanwhile(duty, folder)
        tenth = _read(duty, folder, 3, TENTH, meanwhile)
        Journal(store).verify()
        cycles = _cycles(duty)
    return {
        "first": first.seconds,
        "first_cpu": first.cpu,
        "again": again.seconds,
        "again_cpu": again.cpu,
        "tenth": tenth.seconds,
        "meanwhile": max(meanwhile.seconds, default=0.0),
        "meanwhile_count": len(meanwhile.seconds),
        "megabytes": memory.peak(),
        **cycles,
    }


@dataclass(frozen=True)
class _Cost:
    seconds: float
    cpu: float


def _read(
    duty: Duty, folder: Path, stamp: int, renamed: int | None = None, meanwhile: Meanwhile | None = None
) -> _Cost:
    began, cpu = time.perf_counter(), _cpu()
    with duty.writing() as connection:
        duty.mirror.save(connection, stamp=stamp)
    loader = Loader(
        duty,
        stamp,
        first=stamp == 1,
        read=ReadingApart,
        progress=lambda _side, _done: None,
    )
    users, accounts = PlayedSource(folder, renamed), PlayedDirectory(folder, renamed)
    with meanwhile.registering() if meanwhile else nullcontext():
        counts = loader.load({"users": users.read, "accounts": accounts.accounts})
        found = len(out_of_step(duty))
    with duty.writing() as connection:
        duty.mirror.save(connection, rebuilt="2026-01-01T00:00:00+00:00")
    assert counts == {"users": USERS, "accounts": USERS}, counts
    assert found <= (1 if meanwhile else 0), found  # whose key is just being written
    cost = _Cost(time.perf_counter() - began, _cpu() - cpu)
    print(f"read {stamp}: {cost}, load {os.getloadavg()}", file=sys.stderr)
    return cost


def _cpu() -> float:
    """Processor time of this process and those that it started and that have ended, seconds."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def _cycles(duty: Duty) -> dict[str, float]:
    """What the service does when there is nothing to do, again and again."""
    feed = CloudFeed(duty, lambda: None, lambda: None)
    longest, before = 0.0, 0.0
    for cycle in range(CYCLES):
        began = time.perf_counter()
        feed.poll()
        with duty.reading() as connection:
            assert duty.worklist.due(connection, time.time(), 100) == []
            assert duty.worklist.due(connection, time.time(), 100, removals=True) == []
            duty.mirror.header(connection)
            duty.worklist.backlog(connection, time.time())
        with duty.writing() as connection:
            duty.mirror.save(connection, state="{}")
        longest = max(longest, time.perf_counter() - began)
        if cycle == WARM_UP:
            before = _kept()
    return {"cycle": longest, "growth": _kept() - before}


def _kept() -> float:
    """Megabytes of this process when garbage is collected, which is put off for a long while (``keytrust.memory``)."""
    gc.collect()
    return _megabytes(os.getpid())


class _Memory:
    """Watches what this process and those that it started hold together."""

    def __init__(self) -> None:
        self._peak = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def peak(self) -> float:
        self._ended.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            threads = Path("/proc/self/task").iterdir()
            pids = {pid for task in threads for pid in _children(task)} | set(children)
            self._peak = max(self._peak, _megabytes(os.getpid()) + sum(_megabytes(int(pid)) for pid in pids))


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []


def _megabytes(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


if __name__ == "__main__":
    import bench.reconcile as itself  # noqa: PLW0406 - what is pickled must be importable elsewhere

    print(json.dumps(itself._measure(Path(sys.argv[1]))))
