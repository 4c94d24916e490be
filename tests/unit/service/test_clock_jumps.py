"""The machine's clock is put forward and back: nobody waits for longer, and no limit is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.support.worker_site import Site
from tests.support.world import cloud_user, guid

from keytrust.cloud.source import Reported
from keytrust.directory.session import Answer, Verdict
from keytrust.service import limits
from keytrust.store.database import open_store
from keytrust.sync.policy import Policy

HOUR = 3600.0
PEOPLE = [f"user{number}" for number in range(40)]


@pytest.fixture(params=[HOUR, -HOUR], ids=["forward", "back"])
def jump(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield engine
    engine.dispose()


def test_registrations_before_and_after_are_written_at_once(store: Engine, jump: float) -> None:
    site = Site(store, "alice", "bob", "carol")
    site.register("alice", 1)
    site.feed.poll()
    site.clock += jump
    site.register("bob", 2)
    site.settle()
    site.clock -= jump
    site.register("carol", 3)
    site.settle()
    assert [site.values(name) for name in ("alice", "bob", "carol")] == [1, 1, 1]
    assert all(event.data["seenSeconds"] >= 0 for event in site.told.of("written"))


@pytest.mark.parametrize("failures", [1, 4])
def test_an_account_that_was_set_aside_does_not_rest_for_an_hour_longer(
    store: Engine, jump: float, failures: int
) -> None:
    site = Site(store, "alice", "bob")
    site.directory.fault = lambda _: Answer(None, Verdict.REFUSED, "no")
    site.register("alice", 1)
    site.settle()
    for _ in range(failures - 1):
        site.clock += 100
        site.worker.work()
    assert len(site.told.of("set-aside")) == failures
    site.directory.fault = lambda _: None
    site.clock += jump
    site.clock += site.told.of("set-aside")[-1].data["again"] + 1
    site.worker.work()
    assert (site.values("alice"), site.waiting) == (1, 0)


def test_removals_that_are_held_back_are_judged_again(store: Engine, jump: float) -> None:
    site = Site(store, *PEOPLE)
    for number, name in enumerate(PEOPLE):
        site.register(name, number)
    site.settle()
    for name in PEOPLE[:10]:
        site.source.put(cloud_user(name, Reported(())))
    site.settle()
    assert len(site.told.of("cap-reached")) == 1
    for name in PEOPLE[2:10]:
        site.register(name, PEOPLE.index(name))
    site.clock += jump
    site.settle()
    site.clock += 1000
    site.worker.work()
    assert sum(site.values(name) for name in PEOPLE) == 38


class Shifted(datetime):
    """Datetimes of a clock that is so far ahead."""

    by = timedelta()

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) + cls.by


@pytest.mark.parametrize("hours", [1, -1, 72, -72])
def test_the_limit_of_a_day_is_not_forgotten(store: Engine, hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(store, *PEOPLE, policy=Policy(removal_share=1.0))
    site.link.clock = lambda: datetime.now(UTC)
    for number, name in enumerate(PEOPLE):
        site.register(name, number)
    site.settle()
    for name in PEOPLE[:5]:
        site.source.put(cloud_user(name, Reported(())))
        site.settle()
    assert sum(site.values(name) for name in PEOPLE) == 35
    monkeypatch.setattr(Shifted, "by", timedelta(hours=hours))
    monkeypatch.setattr(limits, "datetime", Shifted)
    for name in PEOPLE[5:10]:
        site.source.put(cloud_user(name, Reported(())))
        site.settle()
    assert sum(site.values(name) for name in PEOPLE) == 35
    sentence = site.told.of("cap-reached")[0].sentence
    assert "after 5 within a day" in sentence
    assert ("72.0 h ahead of the domain's" in sentence) == (hours == 72)
    assert guid(PEOPLE[0]) in site.directory.values
