"""Several instances on one PostgreSQL store share the domains: who has none is given one, and nobody twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine
from tests.support.memory_link import MemorySource, Told

from keytrust.cloud.settings import CloudKind
from keytrust.directory.settings import DirectorySettings
from keytrust.service import service as module
from keytrust.service import sharing
from keytrust.service.duty import Duty
from keytrust.service.service import Plant, Service
from keytrust.service.settings import ServiceSettings
from keytrust.service.sharing import Generosity, Presence, somebody_stands_idle
from keytrust.store.database import open_store
from keytrust.store.lease import renewing
from keytrust.sync.policy import Policy

SIDS = {f"d{number}.example": f"S-1-5-21-{number}" for number in range(3)}


class FakeDomain:
    """A domain that is always there."""

    def __init__(self, settings: DirectorySettings) -> None:
        self.name = settings.domain or ""
        self.sid = SIDS[self.name]

    def __enter__(self) -> FakeDomain:
        return self

    def __exit__(self, *_: object) -> None:
        return


class FakeTerm:
    """A term in which there is nothing to do, or always something."""

    busy: ClassVar[set[str]] = set()

    def __init__(self, duty: Duty, *_: object) -> None:
        self._duty = duty

    def serve(self) -> None:
        with renewing(self._duty.lease):
            while not self._duty.stop.wait(0.05) and self._duty.lease.held():
                pass

    def is_idle(self) -> bool:
        return self._duty.domain not in self.busy

    def wake_cloud(self) -> None:
        return


class Instance:
    """One instance in this process."""

    def __init__(self, url: str) -> None:
        domains = {name: DirectorySettings(domain=name, principal="a@B", keytab="k") for name in SIDS}  # type: ignore[arg-type]
        self.told = Told()
        self.service = Service(
            Plant(
                domains=domains,
                source=MemorySource(),  # type: ignore[arg-type]
                read_users=list,
                store=open_store(url),
                policy=Policy(),
                settings=ServiceSettings(),
                poll_seconds=ServiceSettings().cloud_seconds(CloudKind.GRAPH),
            )
        )
        self.service.events.subscribe(self.told)
        self._thread = threading.Thread(target=self.service.run)

    @property
    def has(self) -> int:
        return len(self.service.terms())

    def __enter__(self) -> Instance:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()
        self.service.store.dispose()


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> Iterator[Callable[[], Instance]]:
    """Starts instances; all of them end with the test."""
    monkeypatch.setattr(module, "Domain", FakeDomain)
    monkeypatch.setattr(module, "Term", FakeTerm)
    monkeypatch.setattr(module, "_SHARE_SECONDS", 0.2)
    monkeypatch.setattr(sharing, "HAND_OVER_SECONDS", 3.0)
    monkeypatch.setattr(FakeTerm, "busy", set[str]())
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Instance(postgres_url))


def test_an_instance_that_joins_is_given_a_domain_and_when_it_leaves_the_other_goes_on_with_it(
    made: Callable[[], Instance],
) -> None:
    first = made()
    eventually(lambda: first.has == len(SIDS), "the only one has all")
    second = made()
    eventually(lambda: (first.has, second.has) == (2, 1), "the other is given one")
    released = first.told.of("lease-released")
    said = [event.sentence.partition(": ")[2] for event in released]
    assert said == ["given up to an instance that had nothing to do."]
    time.sleep(4)  # longer than it takes to give up another
    assert (first.has, second.has) == (2, 1)
    second.service.stop()
    eventually(lambda: first.has == len(SIDS), "all are served again")


def test_nobody_gives_up_what_it_is_busy_with(made: Callable[[], Instance]) -> None:
    FakeTerm.busy.update(SIDS)
    first = made()
    eventually(lambda: first.has == len(SIDS), "the only one has all")
    second = made()
    eventually(lambda: len(second.told.of("standing-by")) == len(SIDS), "it stands by")
    time.sleep(2)
    assert (first.has, second.has) == (3, 0)
    FakeTerm.busy.discard("d1.example")
    eventually(lambda: list(second.service.terms()) == ["d1.example"], "the one that is idle")


def test_presence_ends_with_whoever_was_present(postgres_url: str) -> None:
    store, asked = open_store(postgres_url), open_store(postgres_url)
    with Presence(store, "S-1-1") as presence:
        assert not somebody_stands_idle(asked, "S-1-1")
        presence.show(idle=True)
        presence.show(idle=True)
        assert somebody_stands_idle(asked, "S-1-1")
        assert not somebody_stands_idle(asked, "S-1-2")
        presence.show(idle=False)
        await_nobody(asked, "S-1-1")
        presence.show(idle=True)
    await_nobody(asked, "S-1-1")


def await_nobody(store: Engine, domain_sid: str) -> None:
    """The server notices in its own time that a connection has ended."""
    deadline = time.monotonic() + 60
    while somebody_stands_idle(store, domain_sid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_domain_is_given_up_at_a_time_and_not_asked_for_again_at_once() -> None:
    clock = 0.0
    generosity = Generosity(lambda: clock)
    given: dict[str, Any] = {"domains": 3, "idle": True, "wanted": lambda: True}
    assert not generosity.gives("a", **given | {"domains": 1})
    assert not generosity.gives("a", **given | {"idle": False})
    assert not generosity.gives("a", **given | {"wanted": lambda: False})
    assert generosity.gives("a", **given)
    assert generosity.abstains("a")
    assert not generosity.abstains("b")
    assert not generosity.gives("b", **given)
    clock += sharing.HAND_OVER_SECONDS
    assert not generosity.abstains("a")
    assert generosity.gives("b", **given)
