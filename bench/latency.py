"""From the registry's answer to a device to that user's first ticket, with ``keytrust run`` beside the registry."""

from __future__ import annotations

import os
import random
import secrets
import tempfile
import time
from pathlib import Path

from tests.support.running import RunningService

from bench.result import BenchResult
from bench.site import bench_lab
from keytrust.lab import LabUser

USERS = int(os.environ.get("KEYTRUST_BENCH_REGISTRATIONS", "200"))
TARGET_P50, TARGET_P99 = 1.0, 3.0


def run() -> list[BenchResult]:
    """Registrations at random moments, each followed by sign-ins until one succeeds."""
    with bench_lab() as lab, tempfile.TemporaryDirectory() as folder:
        users = [LabUser(f"l{secrets.token_hex(4)}") for _ in range(USERS)]
        lab.add_users(users)
        with RunningService.beside_a_registry(lab, Path(folder)) as service:
            service.enrol(*users)
            service.start()
            seconds = sorted(_one(service, user) for user in users)
    return [
        BenchResult.at_most("latency.p50", seconds[len(seconds) // 2], "s", TARGET_P50),
        BenchResult.at_most("latency.p99", seconds[len(seconds) * 99 // 100], "s", TARGET_P99),
        BenchResult("latency.worst", seconds[-1], "s"),
        BenchResult("latency.registrations", len(seconds), "keys"),
    ]


def _one(service: RunningService, user: LabUser) -> float:
    time.sleep(random.uniform(0.0, 1.0))
    key = service.register(user)
    began = time.monotonic()
    while not service.sign_in(user, key).ok:
        assert time.monotonic() - began < 60, "no ticket within a minute"
    return time.monotonic() - began
