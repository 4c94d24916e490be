"""Two instances on one PostgreSQL store; the writer is killed, or frozen and thawed later, again and again."""

from __future__ import annotations

import random
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.support.postgres import postgres_server
from tests.support.running import RunningService

from bench.comparison import Wrongs, settled
from bench.result import BenchResult
from bench.site import bench_lab
from bench.traffic import NO_LIMITS, Traffic
from keytrust.lab import Lab, LabUser

TIMES = 20
TARGET_SECONDS = 10.0


def run() -> list[BenchResult]:
    """Measure from the writer's end to the other's first value on an account."""
    with (
        bench_lab() as lab,
        postgres_server() as postgres,
        tempfile.TemporaryDirectory() as folder,
        postgres.database() as url,
    ):
        seconds, wrongs, writes = takeover(lab, Path(folder), url, TIMES)
    return [
        BenchResult("takeover.median", median(seconds), "s"),
        BenchResult.at_most("takeover.worst", max(seconds), "s", TARGET_SECONDS),
        BenchResult.at_most("takeover.wrongs", wrongs.total(), "wrongs", 0),
        BenchResult("takeover.writes", writes, "writes"),
    ]


def takeover(lab: Lab, folder: Path, store: str, times: int) -> tuple[list[float], Wrongs, int]:
    """End the writer so often, by turns killed and frozen; the seconds that each took, and what is wrong afterwards."""
    users = [LabUser(f"t{secrets.token_hex(4)}") for _ in range(10)]
    lab.add_users(users)
    try:
        with RunningService.beside_a_registry(lab, folder, store) as first:
            first.extra = NO_LIMITS
            first.enrol(*users)
            planted = {users[0].sam: first.plant(users[0]).encode()}
            first.start()
            second = first.twin(folder / "second")
            second.start(wait=False)
            second.await_event("standing-by")
            traffic = Traffic(first, users[1:], seconds_between=0.4)
            try:
                with traffic.flowing():
                    seconds = [_one(first, second, traffic, users[0], killed=turn % 2 == 0) for turn in range(times)]
                second.kill()
                return seconds, *settled(first, users, traffic, planted)
            finally:
                second.kill()
    finally:
        lab.delete_users(users)


def _one(first: RunningService, second: RunningService, traffic: Traffic, user: LabUser, *, killed: bool) -> float:
    first.eventually(lambda: _writer(first, second) is not None, "a writer")
    writer = _writer(first, second)
    assert writer is not None
    other = second if writer is first else first
    time.sleep(random.uniform(1.0, 2.0))
    before = len(first.account(user).values)
    began = time.monotonic()
    writer.process.send_signal(signal.SIGKILL if killed else signal.SIGSTOP)
    traffic.register(user)
    try:
        first.eventually(lambda: len(first.account(user).values) > before, "a takeover")
    except AssertionError:
        print("the other said at last:", *other.log.read_text().splitlines()[-20:], sep="\n", file=sys.stderr)
        raise
    seconds = time.monotonic() - began
    if killed:
        writer.process.wait()
        stood = len(writer.events("standing-by"))
        writer.start(wait=False)
        writer.eventually(lambda: len(writer.events("standing-by")) > stood, "a second instance")
    else:
        writer.process.send_signal(signal.SIGCONT)
        first.eventually(lambda: not writer.is_writer(), "the thawed one to notice")
    assert other.is_writer()
    return seconds


def _writer(first: RunningService, second: RunningService) -> RunningService | None:
    return next((each for each in (first, second) if each.is_writer()), None)
