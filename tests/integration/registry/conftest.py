"""One registry over HTTP for each test that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from registry_site import Site

from keytrust.registry import running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site.make(tmp_path)
    try:
        with running(made.settings) as url:
            yield replace(made, url=url)
    finally:
        made.database.close()


@pytest.fixture
def any_site(tmp_path: Path, database_url: str) -> Iterator[Site]:
    """As ``site``, once on each kind of database."""
    made = Site.make(tmp_path, database_url=database_url)
    try:
        with running(made.settings) as url:
            yield replace(made, url=url)
    finally:
        made.database.close()
