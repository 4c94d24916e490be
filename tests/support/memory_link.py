"""A directory in memory behind the interface of the service's worker, and a duty over a store in a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from tests.support.directory import MemoryDirectory, MemoryWriter

from keytrust.audit.devices import Device
from keytrust.cloud.delta import Changes
from keytrust.cloud.source import CloudUser
from keytrust.credential import Dialect
from keytrust.database import writing
from keytrust.directory.account import Account
from keytrust.directory.replication import Origin
from keytrust.errors import CloudError
from keytrust.service.duty import Duty
from keytrust.service.events import Event, Events
from keytrust.service.mirror import Mirror
from keytrust.service.settings import ServiceSettings
from keytrust.store.lease import acquire
from keytrust.sync.carrying import Place
from keytrust.sync.policy import Policy
from keytrust.sync.scope import EVERYBODY, Scope

SID = "S-1-5-21-1-2-3"


class MemoryLink:
    """``Linked`` over a ``MemoryDirectory``."""

    dialect = Dialect.ENTRA
    connector = "svc@CORP.EXAMPLE"

    def __init__(self, directory: MemoryDirectory) -> None:
        self.directory = directory
        self.others: dict[str, MemoryDirectory] = {}
        self.drops = 0
        self.clock: Callable[[], datetime] | None = None
        self.in_scope = EVERYBODY
        self.known_devices: dict[UUID, Device] = {}

    def place(self, source: str) -> Place:
        return Place("corp.example", SID, "dc1.corp.example", source)

    def by_guid(self, guids: Sequence[bytes]) -> dict[bytes, Account]:
        return self.directory.by_guid(list(guids))

    def scope(self, among: Sequence[bytes]) -> Scope:
        return self.in_scope

    def time(self) -> datetime | None:
        return self.clock() if self.clock else None

    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]:
        return self.directory.values_of(guids)

    def devices(self, identifiers: Sequence[UUID]) -> list[Device]:
        return [self.known_devices[each] for each in identifiers if each in self.known_devices]

    def origin(self, guid: bytes, binary: bytes) -> Origin | None:
        return Origin("DC2", datetime(2026, 1, 2, tzinfo=UTC), exact=True)

    def at(self, server: str) -> AbstractContextManager[MemoryDirectory]:
        return nullcontext(self.others.get(server, self.directory))

    def writer(self) -> MemoryWriter:
        return self.directory.writer()

    def drop(self) -> None:
        self.drops += 1


class MemorySource:
    """A key source in memory."""

    name = "test"

    def __init__(self) -> None:
        self.users: dict[str, CloudUser] = {}
        self.changed: dict[str, CloudUser] = {}
        self.removed: dict[str, str] = {}

    def put(self, user: CloudUser) -> None:
        self.users[user.id] = self.changed[user.id] = user
        self.removed.pop(user.id, None)

    def remove(self, name: str) -> None:
        self.users.pop(name, None)
        self.changed.pop(name, None)
        self.removed[name] = "deleted"

    def read(self, progress: object = None) -> list[CloudUser]:
        return list(self.users.values())

    def latest(self) -> str:
        return "now"

    def changes(self, cursor: str | None = None) -> Changes:
        told = Changes(tuple(self.changed.values()), dict(self.removed), "now")
        self.changed, self.removed = {}, {}
        return told


class Told:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]


def duty(
    store: Engine, source: MemorySource, *, policy: Policy | None = None, domain_sid: str = SID, **settings: object
) -> tuple[Duty, Told]:
    """A duty whose mirror counts as complete."""
    with writing(store) as connection:
        mirror = Mirror.open(connection, domain_sid=domain_sid, name="corp.example", source=source.name)
        mirror.save(connection, rebuilt="2026-01-01T00:00:00+00:00", cloud_cursor="now")
    lease = acquire(store, domain_sid, "test")
    assert lease is not None
    events, told = Events(), Told()
    events.subscribe(told)
    made = Duty(
        domain="corp.example",
        domain_sid=domain_sid,
        source=source,  # type: ignore[arg-type]
        store=store,
        policy=policy or Policy(),
        settings=ServiceSettings(**settings),  # type: ignore[arg-type]
        events=events,
        lease=lease,
        mirror=mirror,
    )
    return made, told


@dataclass(frozen=True)
class Given:
    """An opener that gives what it holds, and then perhaps hangs, or breaks off."""

    objects: tuple[Any, ...]
    fault: str = ""
    hangs: float = 0.0

    def __call__(self) -> Iterator[Any]:
        yield from self.objects
        time.sleep(self.hangs)
        if self.fault:
            raise CloudError(self.fault)
