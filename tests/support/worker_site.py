"""A domain and a cloud in memory, with the service's worker and cloud feed between them."""

from __future__ import annotations

from sqlalchemy import Engine
from tests.support.directory import MemoryDirectory
from tests.support.memory_link import MemoryLink, MemorySource, duty
from tests.support.world import account, cloud_user, guid, key

from keytrust.service.feeds import CloudFeed
from keytrust.service.worker import Worker
from keytrust.service.worklist import Priority
from keytrust.sync.policy import Policy


class Site:
    """A domain, a cloud, and the service's worker and cloud feed between them."""

    def __init__(self, store: Engine, *people: str, policy: Policy | None = None, **settings: object) -> None:
        self.directory = MemoryDirectory(*(account(name) for name in people))
        self.link = MemoryLink(self.directory)
        self.source = MemorySource()
        self.duty, self.told = duty(store, self.source, policy=policy, **settings)
        self.clock = 1_000_000.0
        self.worker = Worker(self.duty, self.link, now=lambda: self.clock)
        self.feed = CloudFeed(self.duty, lambda: None, lambda: None)
        self.look_at(*people)
        self.worker.work()

    def look_at(self, *people: str) -> None:
        """As if the directory's feed had brought them."""
        with self.duty.writing() as connection:
            self.duty.worklist.add(connection, map(guid, people), self.clock, Priority.CHANGE)

    def register(self, name: str, *numbers: int) -> None:
        self.source.put(cloud_user(name, tuple(key(number) for number in numbers)))

    def settle(self) -> None:
        self.feed.poll()
        self.worker.work()

    def values(self, name: str) -> int:
        return len(self.directory.values[guid(name)])

    @property
    def waiting(self) -> int:
        with self.duty.reading() as connection:
            backlog = self.duty.worklist.backlog(connection, self.clock)
        return backlog.waiting + backlog.set_aside
