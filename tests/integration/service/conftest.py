"""A service beside a registry of its own, on the shared lab's domain controller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.running import RunningService

from keytrust.lab import Lab


@pytest.fixture
def service(lab: Lab, tmp_path: Path) -> Iterator[RunningService]:
    """Started, and past its first complete read."""
    with RunningService.beside_a_registry(lab, tmp_path) as running:
        running.start()
        yield running
