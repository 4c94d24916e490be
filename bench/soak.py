"""``./script/soak [--minutes N]``: keys come and go while faults are injected; then both sides are compared.

The domain controller is frozen and thawed, values are deleted, the registry is silent, busy or breaks off its answers
for a while; in the first half of the time the service is killed and told to stop too. In the second half it lives on,
and its memory is sampled.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import func, select
from tests.support.running import RunningService
from tests.support.unruly import Reply, Unruly, unruly

from bench.crash import NO_LIMITS, Traffic, settled
from bench.result import BenchResult
from bench.site import bench_lab
from keytrust import interrupts
from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.store.mirror_tables import pending

GROWTH_MEGABYTES = 20.0
USERS = 50


def main() -> None:
    """Soak, and print what came of it; exits with 1 when something must not be."""
    parser = argparse.ArgumentParser(prog="script/soak", description="Keys come and go while faults are injected.")
    parser.add_argument("--minutes", type=float, default=60.0, help="for how long (default: an hour)")
    given = parser.parse_args()
    interrupts.install()  # told to stop, it ends what it started
    with bench_lab("soak", 31) as lab, tempfile.TemporaryDirectory() as folder:
        results = soak(lab, Path(folder), given.minutes * 60)
        if any(result.met is False for result in results):
            kept = shutil.copytree(folder, tempfile.mkdtemp(prefix="keytrust-soak-"), dirs_exist_ok=True)
            print(f"soak: the service's log and store are kept in {kept}", file=sys.stderr)
    for result in results:
        print(json.dumps(asdict(result)))
    sys.exit(any(result.met is False for result in results))


def soak(lab: Lab, folder: Path, seconds: float, *, freeze: bool = True) -> list[BenchResult]:
    """Soak for so many seconds; ``freeze`` allows to freeze the domain controller."""
    users = [LabUser(f"s{secrets.token_hex(4)}") for _ in range(USERS)]
    lab.add_users(users)
    try:
        with RunningService.beside_a_registry(lab, folder) as service, unruly(service.url) as cloud:
            service.extra = {
                **NO_LIMITS,
                "cloud": {"url": cloud.url},
                "directory": {"timeout": 5},
                "service": {"reconcile_hours": 0.02, "vanish_limit": 100},
            }
            service.enrol(*users)
            planted = {user.sam: service.plant(user).encode() for user in users[:3]}
            service.start()
            traffic = Traffic(service, users[3:], seconds_between=0.5)
            began = time.monotonic()
            memory: list[float] = []
            faults = 0
            with traffic.flowing():
                while time.monotonic() < began + seconds:
                    time.sleep(random.uniform(2.0, 8.0))
                    lives = time.monotonic() > began + seconds / 2
                    faults += _fault(service, lab, traffic, cloud, freeze=freeze, lives=lives)
                    if lives:
                        memory.append(_memory(service))
            wrongs, writes = settled(service, users, traffic, planted)
            stuck = _stuck(service)
    finally:
        lab.delete_users(users)
    if wrongs.total():
        print(wrongs, file=sys.stderr)
    settling = len(memory) // 5  # what a process needs in the beginning is no growth
    early = memory[settling : 2 * settling + 1]
    return [
        BenchResult("soak.minutes", seconds / 60, "min"),
        BenchResult("soak.faults", faults, "faults"),
        BenchResult("soak.writes", writes, "writes"),
        BenchResult.at_most("soak.wrongs", wrongs.total(), "wrongs", 0),
        BenchResult("soak.rightly_again", wrongs.rightly_again, "keys"),
        BenchResult.at_most("soak.stuck", stuck, "accounts", 0),
        BenchResult("soak.memory", median(early), "MB"),
        BenchResult.at_most("soak.growth", median(memory[-len(early) :]) - median(early), "MB", GROWTH_MEGABYTES),
    ]


def _fault(service: RunningService, lab: Lab, traffic: Traffic, cloud: Unruly, *, freeze: bool, lives: bool) -> int:
    kinds: list[Callable[[], str] | None] = [None, lambda: _cleared(traffic), lambda: _misbehaving(cloud)]
    if not lives:
        kinds += [lambda: _killed(service), lambda: _told_to_stop(service)]
    if freeze:
        kinds.append(lambda: _frozen(lab))
    kind = random.choice(kinds)
    if kind is None:
        return 0
    began = datetime.now(UTC)
    what = f"{began:%H:%M:%S} {kind()}, until {datetime.now(UTC):%H:%M:%S}"
    print(f"soak: {what}; the service has {_memory(service):.0f} MB", file=sys.stderr, flush=True)
    return 1


def _cleared(traffic: Traffic) -> str:
    user = random.choice(traffic.users)
    traffic.somebody_clears(user)
    return f"somebody deletes the values of {user.sam}"


def _misbehaving(cloud: Unruly) -> str:
    manners = random.choice(("silent", "cut", "busy", "broken", "lost"))
    cloud.silent, cloud.cut = manners == "silent", manners == "cut"
    replies = {
        "busy": Reply(429, {"Retry-After": "3"}),
        "broken": Reply(503),
        "lost": Reply(410, {"Location": f"{cloud.url}/beta/users/delta"}),
    }
    cloud.reply = replies.get(manners)
    try:
        time.sleep(random.uniform(2.0, 10.0))
    finally:
        cloud.behave()
    return f"the cloud is {manners}"


def _killed(service: RunningService) -> str:
    service.kill()
    service.start(wait=False)
    return "the service is killed"


def _told_to_stop(service: RunningService) -> str:
    service.stop()  # with any code: it may be told so before it has begun
    service.start(wait=False)
    return "the service is told to stop"


def _frozen(lab: Lab) -> str:
    lab.pause_dc()
    try:
        time.sleep(random.uniform(3.0, 15.0))
    finally:
        lab.resume_dc()
    return "the domain controller is frozen"


def _stuck(service: RunningService) -> int:
    engine = open_store(service.store)
    with engine.connect() as connection:
        count: int = connection.execute(select(func.count()).select_from(pending)).scalar_one()
    engine.dispose()
    return count


def _memory(service: RunningService) -> float:
    try:
        pages = int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
