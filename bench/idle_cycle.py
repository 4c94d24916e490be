"""The service with a million users in its store and nothing to do: one cycle, and the growth of memory over many."""

from __future__ import annotations

from bench.reconcile import TARGET_CYCLE_SECONDS, TARGET_GROWTH_MEGABYTES, USERS, measure
from bench.result import BenchResult


def run() -> list[BenchResult]:
    """Measure after a complete read of so many users."""
    found = measure()
    return [
        BenchResult("idle-cycle.users", USERS, "users"),
        BenchResult.at_most("idle-cycle.longest", found["cycle"], "s", TARGET_CYCLE_SECONDS),
        BenchResult.at_most("idle-cycle.growth", found["growth"], "MB", TARGET_GROWTH_MEGABYTES),
    ]
