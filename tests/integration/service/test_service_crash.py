"""The benches ``crash`` and ``takeover`` and the soak, in short: what must never be, whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.crash import crash
from bench.soak import soak
from bench.takeover import takeover

from keytrust.lab import Lab

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_at_random_moments_it_loses_nothing_and_touches_nothing_of_others(
    database: str, lab: Lab, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    wrongs, writes, _, _ = crash(lab, tmp_path, store, kills=2, people=8)
    assert wrongs.total() == 0, wrongs
    assert writes > 0


def test_when_the_writer_is_killed_or_frozen_another_takes_over_and_nothing_is_written_twice(
    lab: Lab, tmp_path: Path, postgres_url: str
) -> None:
    seconds, wrongs, _ = takeover(lab, tmp_path, postgres_url, times=2)
    assert wrongs.total() == 0, wrongs
    assert len(seconds) == 2


def test_soaked_in_faults_it_comes_to_rest_with_both_sides_in_step(breakable_lab: Lab, tmp_path: Path) -> None:
    found = {each.name: each.value for each in soak(breakable_lab, tmp_path, 60, resting=50)}
    assert found["soak.wrongs"] == 0
    assert found["soak.stuck"] == 0
    assert found["soak.faults"] > 0
    assert found["soak.writes"] > 100
