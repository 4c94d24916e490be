"""The short form of bench ``planted``: keys that other tools plant are told, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.planted import plant_and_watch

from keytrust.lab import Lab

pytestmark = pytest.mark.lab


def test_a_key_planted_by_each_tool_is_told_and_registered_ones_are_not(lab: Lab, tmp_path: Path) -> None:
    seconds, false_alarms = plant_and_watch(lab, tmp_path, 3)
    assert (len(seconds), false_alarms) == (3, 0)
