"""The directory's feed and connections that end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.support.memory_link import MemorySource, duty

from keytrust.errors import DirectoryError
from keytrust.service import feeds
from keytrust.service.feeds import DirectoryFeed
from keytrust.service.watch import Watched
from keytrust.store.database import open_store


class Connections:
    """Stands for link, domain and sessions: counts those that are opened; answers as told."""

    def __init__(self) -> None:
        self.opened = self.dropped = 0
        self.faults: list[bool] = []

    @property
    def domain(self) -> Connections:
        return self

    def session(self) -> Connections:
        self.opened += 1
        return self

    def close(self) -> None:
        return

    def drop(self) -> None:
        self.dropped += 1

    def changed_since(self, *_: object) -> Watched:
        if self.faults and self.faults.pop(0):
            raise DirectoryError("Server is unavailable")
        return Watched([], b"next")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield engine
    engine.dispose()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    made = Connections()
    monkeypatch.setattr(feeds, "changed_since", made.changed_since)
    return made


def feed(store: Engine, link: Any) -> DirectoryFeed:
    return DirectoryFeed(duty(store, MemorySource())[0], link, lambda: None, lambda: None)


def test_a_connection_that_the_controller_ended_is_had_again_without_a_fault(
    store: Engine, connections: Connections
) -> None:
    made = feed(store, connections)
    connections.faults = [False, True, False]
    made.poll()
    made.poll()
    made.poll()
    assert (connections.opened, connections.dropped) == (2, 1)


def test_a_controller_that_is_down_is_a_fault_and_asked_once_each_time(store: Engine, connections: Connections) -> None:
    made = feed(store, connections)
    connections.faults = [False, True, True, True]
    made.poll()
    for _ in range(2):
        with pytest.raises(DirectoryError, match="unavailable"):
            made.poll()
    assert connections.faults == []
    made.poll()
    assert connections.opened == 4
