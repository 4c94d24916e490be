"""``./script/soak [--minutes N]``: keys come and go while faults are injected; then both sides are compared.

The domain controller is frozen and thawed, the service killed and told to stop, values are planted and deleted, the
service's clock of patience runs against a registry that is gone for a while. Memory is sampled all the time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import func, select
from tests.support.running import RunningService

from bench.crash import NO_LIMITS, Traffic, settled
from bench.result import BenchResult
from bench.site import bench_lab
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
    with bench_lab("soak", 31) as lab, tempfile.TemporaryDirectory() as folder:
        results = soak(lab, Path(folder), given.minutes * 60)
    for result in results:
        print(json.dumps(asdict(result)))
    sys.exit(any(result.met is False for result in results))


def soak(lab: Lab, folder: Path, seconds: float, *, freeze: bool = True) -> list[BenchResult]:
    """Soak for so many seconds; ``freeze`` allows to freeze the domain controller."""
    users = [LabUser(f"s{secrets.token_hex(4)}") for _ in range(USERS)]
    lab.add_users(users)
    try:
        with RunningService.beside_a_registry(lab, folder) as service:
            service.extra = {**NO_LIMITS, "directory": {"timeout": 5}, "service": {"reconcile_hours": 0.02}}
            service.enrol(*users)
            planted = {user.sam: service.plant(user).encode() for user in users[:3]}
            service.start()
            memory = _memory(service)
            peaks: list[float] = []
            traffic = Traffic(service, users[3:], seconds_between=0.5)
            ends = time.monotonic() + seconds
            faults = 0
            with traffic.flowing():
                while time.monotonic() < ends:
                    time.sleep(random.uniform(2.0, 8.0))
                    faults += _fault(service, lab, traffic, freeze)
                    peaks.append(_memory(service))
            wrongs, writes = settled(service, users, traffic, planted)
            stuck = _stuck(service)
    finally:
        lab.delete_users(users)
    return [
        BenchResult("soak.minutes", seconds / 60, "min"),
        BenchResult("soak.faults", faults, "faults"),
        BenchResult("soak.writes", writes, "writes"),
        # A key that somebody deleted in the directory is rightly written a second time.
        BenchResult.at_most("soak.wrongs", wrongs.total() - wrongs.twice, "wrongs", 0),
        BenchResult("soak.written_again", wrongs.twice, "keys"),
        BenchResult.at_most("soak.stuck", stuck, "accounts", 0),
        BenchResult.at_most("soak.growth", max(peaks[-5:], default=memory) - memory, "MB", GROWTH_MEGABYTES),
    ]


def _fault(service: RunningService, lab: Lab, traffic: Traffic, freeze: bool) -> int:
    kinds: list[Callable[[], None]] = [
        lambda: _killed(service),
        lambda: _told_to_stop(service),
        lambda: service.delete_values(random.choice(traffic.users)),
        lambda: None,
    ]
    if freeze:
        kinds.append(lambda: _frozen(lab, traffic))
    kind = random.choice(kinds)
    kind()
    return int(kind is not kinds[3])


def _killed(service: RunningService) -> None:
    service.kill()
    service.start(wait=False)


def _told_to_stop(service: RunningService) -> None:
    service.stop()  # with any code: it may be told so before it has begun
    service.start(wait=False)


def _frozen(lab: Lab, traffic: Traffic) -> None:
    lab.pause_dc()
    try:
        time.sleep(random.uniform(3.0, 15.0))
    finally:
        lab.resume_dc()


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
