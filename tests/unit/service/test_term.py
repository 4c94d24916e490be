"""When a term is idle: only then its domain may be given to another instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.support.memory_link import MemorySource, duty

from keytrust.directory.settings import DirectorySettings
from keytrust.service.term import Term
from keytrust.store.database import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield engine
    engine.dispose()


def test_it_is_idle_when_both_sides_answer_nothing_waits_and_nothing_is_read(store: Engine) -> None:
    settings = DirectorySettings(domain="corp.example", principal="svc@CORP.EXAMPLE", keytab=Path("/keytab"))
    term = Term(duty(store, MemorySource())[0], settings, 2.0, list)
    parts = (term._cloud, term._directory, term._worker)
    assert not term.is_idle()
    for part in parts:
        part.health.last_good = 1.0
    assert term.is_idle()
    for part in parts:
        part.health.failures = 1
        assert not term.is_idle()
        part.health.failures = 0
    term._state.waiting = 1
    assert not term.is_idle()
    term._state.waiting = 0
    term._reconciler.progress.stage = "reading"
    assert not term.is_idle()
