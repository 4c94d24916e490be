"""Very many values planted while ``keytrust run`` is running: when all are told, and whether others' keys still come.

Whoever may write to a few accounts can put thousands of values on each. Every one is to be told, and meanwhile nobody
else's key may have to wait.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from pathlib import Path
from uuid import UUID

from tests.support.running import RunningService

from bench.memory import peak_megabytes
from bench.population import NOW, key_material
from bench.result import BenchResult
from bench.site import bench_lab
from keytrust.credential import Dialect, attribute_text, build
from keytrust.lab import Lab, LabUser

ACCOUNTS = int(os.environ.get("KEYTRUST_BENCH_FLOODED", "20"))
VALUES = int(os.environ.get("KEYTRUST_BENCH_VALUES", "2000"))
TOGETHER = 500
"""Values in one change of the directory."""
TARGET_TOLD, TARGET_KEY, TARGET_MEGABYTES = 60.0, 5.0, 500.0
PATIENCE = 600.0


def run() -> list[BenchResult]:
    """From the last value planted to the last one told; from a registration right then to its value."""
    # A lab of its own, since its users stay: to delete them with all their values takes Samba 20 GB and more.
    with bench_lab("bench-flood", 32) as lab, tempfile.TemporaryDirectory() as folder:
        return _measure(lab, Path(folder))


def _measure(lab: Lab, folder: Path) -> list[BenchResult]:
    victims = [LabUser(f"f{secrets.token_hex(4)}") for _ in range(ACCOUNTS)]
    other = LabUser(f"o{secrets.token_hex(4)}")
    lab.add_users([*victims, other])
    with RunningService.beside_a_registry(lab, folder) as service:
        service.enrol(*victims, other)
        service.start()
        began = time.monotonic()
        for number, victim in enumerate(victims):
            _plant(lab, victim, range(number * VALUES, (number + 1) * VALUES))
        planted = time.monotonic()
        service.register(other)
        registered = time.monotonic()
        key = told = 0.0
        while not key or not told:
            if not key and service.account(other).values:
                key = time.monotonic() - registered
            if not told and len(service.events("unexpected-value")) >= ACCOUNTS * VALUES:
                told = time.monotonic() - planted
            if time.monotonic() - planted > PATIENCE:
                count = len(service.events("unexpected-value"))
                raise RuntimeError(f"{count} of {ACCOUNTS * VALUES} were told; the key took {key or 'too long'}")
            time.sleep(0.05)
        accused = {event["account"] for event in service.events("unexpected-value")}
        megabytes = peak_megabytes(service.process.pid)
    return [
        BenchResult("flood.values", ACCOUNTS * VALUES, "values"),
        BenchResult("flood.planting", planted - began, "s"),
        BenchResult.at_most("flood.told", told, "s", TARGET_TOLD),
        BenchResult.at_most("flood.key", key, "s", TARGET_KEY),
        BenchResult.at_most("flood.memory", megabytes, "MB", TARGET_MEGABYTES),
        BenchResult.at_most("flood.false-alarms", len(accused - {victim.sam for victim in victims}), "accounts", 0),
    ]


def _plant(lab: Lab, victim: LabUser, numbers: range) -> None:
    dn = victim.dn(lab.spec.base_dn)
    for start in range(numbers.start, numbers.stop, TOGETHER):
        values = [
            attribute_text(build(key_material(n), device_id=UUID(int=n), created=NOW, dialect=Dialect.PORTABLE), dn)
            for n in range(start, min(start + TOGETHER, numbers.stop))
        ]
        lines = "".join(f"msDS-KeyCredentialLink: {value}\n" for value in values)
        lab.apply_ldif(f"dn: {dn}\nchangetype: modify\nadd: msDS-KeyCredentialLink\n{lines}-\n\n")
