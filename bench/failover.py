"""Killing the domain controller in use in the middle of an export: what is on the other one, and what that costs.

The first of two replicating domain controllers is killed (SIGKILL to all its processes) when a third of the keys is
done, and stays dead until the export has ended. Keys are counted by KeyID at the second one while the first is dead,
and at both when the first is back and they have replicated.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.apply import addition
from bench.result import BenchResult
from bench.site import bench_lab
from keytrust import config
from keytrust.directory.account import Account
from keytrust.directory.domain import PLANNED_FOR, Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.sync.apply import apply_changes
from keytrust.sync.journal import Journal
from keytrust.sync.stored import StoredKey

KEYS = 2000
PATIENCE = 120.0
TARGET_PAUSE = 15.0


def run() -> list[BenchResult]:
    """Export, kill, and count."""
    with bench_lab() as lab, tempfile.TemporaryDirectory() as folder:
        lab.up(lambda _: None, dcs=2)
        lab.add_users([LabUser(f"bench{number}") for number in range(KEYS)])
        settings = config.load(lab.spec.config).need_directory()
        _until(lambda: len(_at(settings, lab, 2)) == KEYS)
        changes = [addition(account) for account in _at(settings, lab, 1)]
        journal = Journal(open_store(f"sqlite:///{Path(folder)}/keytrust.db"))
        gap = _Gap(lab)
        with Domain(settings) as domain:
            entry = journal.start_run(
                "bench", domain=domain.name, domain_sid=domain.sid, server="", source="", operator=""
            )
            began = time.perf_counter()
            report = apply_changes(changes, directory=domain, journal=journal, run=entry, progress=gap)
            seconds = time.perf_counter() - began
        while_dead = _keys(_at(settings, lab, 2))
        lab.start_dc()
        expected = Counter(change.key_id for change in changes)
        _until(lambda: _keys(_at(settings, lab, 1)) == expected)
        time.sleep(5)  # whatever one has yet to tell the other
        first, second = (_keys(_at(settings, lab, number)) for number in (1, 2))
    return [
        BenchResult.at_least("failover.keys_while_dead", sum((while_dead & expected).values()), "keys", KEYS),
        BenchResult.at_least("failover.keys_on_both", sum((first & second & expected).values()), "keys", KEYS),
        BenchResult.at_most("failover.written_twice", sum((first | second).values()) - KEYS, "keys", 0),
        BenchResult.at_most("failover.unconfirmed", sum(r.outcome != "confirmed" for r in report.results), "keys", 0),
        BenchResult.at_most("failover.pause", gap.longest, "s", TARGET_PAUSE),
        BenchResult("failover.rate", KEYS / seconds, "changes/s"),
    ]


class _Gap:
    """Kills the domain controller when a third is done, and measures how long nothing was done after that."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._last: float | None = None
        self.longest = 0.0

    def __call__(self, done: int) -> None:
        if self._last is not None:
            now = time.perf_counter()
            self.longest = max(self.longest, now - self._last)
            self._last = now
        elif done >= KEYS // 3:
            self._lab.stop_dc()
            self._last = time.perf_counter()


def _at(settings: DirectorySettings, lab: Lab, number: int) -> list[Account]:
    with Domain(settings) as domain, domain.session_to(lab.spec.dc(number).dc_host) as session:
        found = session.accounts(domain.controller.domain, PLANNED_FOR)
        return [account for account in found if account.name.startswith("bench")]


def _keys(accounts: list[Account]) -> Counter[bytes]:
    return Counter(StoredKey.read(value).key_id or b"" for account in accounts for value in account.values)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            return  # the figures will tell
        time.sleep(0.2)
