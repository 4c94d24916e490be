"""Killing both domain controllers again and again while ``keytrust run`` is writing: what either of them holds then.

A domain controller that is killed in a commit may lose a change for the other one, for good (``service/mending.py``).
At the end both must hold exactly what is registered.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.support.running import RunningService

from bench.comparison import await_change, compare
from bench.result import BenchResult
from bench.site import bench_lab
from bench.traffic import NO_LIMITS, Traffic
from keytrust.lab import Lab, LabUser

KILLS = int(os.environ.get("KEYTRUST_BENCH_KILLS", "100"))
USERS = 300
BOTH = 0.7
"""How often both are killed; else one of them."""
REST = 240.0
"""Seconds that everything has to come to rest."""


def run() -> list[BenchResult]:
    """Kill, start again, and count."""
    with bench_lab("bench-pair", 31) as lab, tempfile.TemporaryDirectory() as folder:
        lab.up(lambda _: None, dcs=2)
        return _measure(lab, Path(folder))


def _measure(lab: Lab, folder: Path) -> list[BenchResult]:
    users = [LabUser(f"k{secrets.token_hex(4)}") for _ in range(USERS)]
    lab.add_users(users)
    with RunningService.beside_a_registry(lab, folder) as service:
        service.extra = NO_LIMITS
        service.enrol(*users)
        service.start()
        traffic = Traffic(service, users, seconds_between=0.02)
        began = time.monotonic()
        with traffic.flowing():
            for number in range(1, KILLS + 1):
                await_change(service)
                time.sleep(random.uniform(0.0, 1.0))
                _kill(lab)
                lab.up(lambda _: None)
                if number % 10 == 0:
                    lost = len(service.events("made-again"))
                    print(f"controllers: {number} of {KILLS}, {lost} made again", file=sys.stderr, flush=True)
            killing = time.monotonic() - began
            time.sleep(60)  # later changes, by which a loss shows
        deadline = time.monotonic() + REST
        while (wrongs := _wrongs(service, users, traffic)) != [0, 0] and time.monotonic() < deadline:
            time.sleep(1)
        assert service.stop() == 0
        again, late = len(service.events("made-again")), len(service.events("not-replicated"))
        if wrongs != [0, 0]:
            print(*service.log.read_text().splitlines()[-20:], sep="\n", file=sys.stderr)
    return [
        BenchResult.at_most("controllers.wrong_at_first", wrongs[0], "keys", 0),
        BenchResult.at_most("controllers.wrong_at_second", wrongs[1], "keys", 0),
        BenchResult("controllers.made_again", again, "changes"),
        BenchResult("controllers.told_late", late, "times"),
        BenchResult("controllers.kills", KILLS, "kills"),
        BenchResult("controllers.keys", traffic.count(), "keys"),
        BenchResult("controllers.seconds", killing, "s"),
    ]


def _kill(lab: Lab) -> None:
    numbers = [1, 2] if random.random() < BOTH else [random.choice([1, 2])]
    for number in numbers:
        lab.dc(number).stop_dc()


def _wrongs(service: RunningService, users: list[LabUser], traffic: Traffic) -> list[int]:
    """What is wrong at the first and at the second."""
    hosts = [service.lab.spec.dc(number).dc_host for number in (1, 2)]
    alone = [service.directory.model_copy(update={"servers": (host,)}) for host in hosts]
    return [compare(service, users, traffic, {}, each).total() for each in alone]
