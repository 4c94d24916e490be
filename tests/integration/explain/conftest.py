"""A site on the shared lab for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.site import Site

from keytrust.lab import Lab


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    return Site(lab, tmp_path)
