"""A service beside a registry of its own, on the shared lab's domain controller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.running import RunningService

from keytrust.lab import Lab, ldif


@pytest.fixture
def service(lab: Lab, tmp_path: Path) -> Iterator[RunningService]:
    """Started, and past its first complete read."""
    with RunningService.beside_a_registry(lab, tmp_path) as running:
        running.start()
        yield running


@pytest.fixture
def team(lab: Lab) -> Iterator[str]:
    """An organizational unit."""
    with _unit(lab, "team") as dn:
        yield dn


@pytest.fixture
def elsewhere(lab: Lab) -> Iterator[str]:
    """Another one."""
    with _unit(lab, "elsewhere") as dn:
        yield dn


@contextmanager
def _unit(lab: Lab, kind: str) -> Iterator[str]:
    dn = f"OU={kind}-{uuid4().hex[:8]},{lab.spec.base_dn}"
    lab.apply_ldif(ldif.add(dn, {"objectClass": "organizationalUnit"}))
    yield dn
    lab.apply_ldif(ldif.delete(dn))
