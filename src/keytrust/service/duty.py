"""What the parts that keep one domain in step have in common during one term as its writer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine

from keytrust.database import writing, writing_on
from keytrust.service.events import Event, EventKind, Events
from keytrust.service.mirror import Mirror
from keytrust.service.settings import ServiceSettings
from keytrust.service.source import ChangingSource
from keytrust.service.worklist import Worklist
from keytrust.store.database import store_faults
from keytrust.store.lease import Lease
from keytrust.sync.model import AccountRef
from keytrust.sync.policy import Policy


@dataclass(frozen=True, slots=True)
class Duty:
    """One domain, while this process is its writer.

    Attributes:
        domain: Its DNS name.
        domain_sid: Its SID.
        source: Where keys are registered.
        store: The store.
        policy: What the operator allows.
        settings: How the service works.
        events: Where what happens is told.
        lease: The right to write; every transaction of ``writing`` checks it.
        mirror: The domain's part of the mirror.
        stop: Set when the term ends.
    """

    domain: str
    domain_sid: str
    source: ChangingSource
    store: Engine
    policy: Policy
    settings: ServiceSettings
    events: Events
    lease: Lease
    mirror: Mirror
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def worklist(self) -> Worklist:
        """What is left to do."""
        return Worklist(self.mirror)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A writing transaction, which goes on only while the lease is ours.

        Raises:
            StoreError: the store failed, or somebody else is the writer now.
        """
        with store_faults(self.store), writing(self.store) as connection:
            self._enter(connection)
            yield connection

    @contextmanager
    def writing_on(self, connection: Connection) -> Iterator[None]:
        """As ``writing``, on a connection that is in no transaction."""
        with store_faults(self.store), writing_on(connection):
            self._enter(connection)
            yield

    def _enter(self, connection: Connection) -> None:
        """Whatever a writing transaction begins with: nobody else is the writer, nobody else changes the mirror."""
        self.lease.fence(connection)
        self.mirror.alone(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A reading transaction."""
        with store_faults(self.store), self.store.connect() as connection:
            yield connection

    def tell(self, kind: EventKind, sentence: str, account: AccountRef | None = None, **data: Any) -> None:
        """Publish an event about this domain."""
        self.events.publish(Event(kind, self.domain, sentence, account, data))

    def stopping(self) -> bool:
        """Whether nothing more may be sent."""
        return self.stop.is_set() or not self.lease.held()
