"""A value that somebody else writes is told, in whatever moment it comes and whatever becomes of the process then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.support.worker_site import Site
from tests.support.world import guid, value

from keytrust.service.alarm import Alarm
from keytrust.service.events import Event
from keytrust.service.worker import Worker
from keytrust.store.database import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield engine
    engine.dispose()


def alarms(site: Site) -> list[Event]:
    return [*site.told.of("unexpected-value"), *site.told.of("foreign-value")]


def test_a_process_that_is_killed_before_it_has_told_tells_when_it_is_back(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(store, "alice")
    site.directory.values[guid("alice")].append(value("alice", 9))
    site.look_at("alice")

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Alarm, "judge", killed)
        with pytest.raises(SystemExit):
            site.worker.work()
    assert alarms(site) == []
    Worker(site.duty, site.link, now=lambda: site.clock).work()
    assert len(alarms(site)) == 1
    site.look_at("alice")
    site.worker.work()
    assert len(alarms(site)) == 1


def test_a_value_that_comes_in_the_moment_of_our_own_write_is_told_and_ours_is_not(store: Engine) -> None:
    site = Site(store, "alice")
    planted = value("alice", 9)
    site.directory.before_change = lambda _: site.directory.values[guid("alice")].append(planted)
    site.register("alice", 1)
    site.settle()
    assert site.values("alice") == 2
    assert [event.data["value"] for event in alarms(site)] == [planted.decode()]
