"""The service's hold on one domain: opened when needed, kept open, opened anew after a fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from keytrust.audit.devices import Device
from keytrust.credential import Dialect
from keytrust.directory.account import Account
from keytrust.directory.controller import time_of
from keytrust.directory.domain import Domain
from keytrust.directory.one_controller import OneController
from keytrust.directory.replication import Origin
from keytrust.directory.session import Answer, Verdict
from keytrust.directory.settings import DirectorySettings
from keytrust.service.evidence import devices_in, origin_in
from keytrust.sync.carrying import Place
from keytrust.sync.scope import Scope, scope_of
from keytrust.sync.writing import Directory, Writer

ONE_ANSWER_SECONDS = 3.0
"""How long a single domain controller has for an answer, where others wait meanwhile."""


class Link:
    """One domain for one thread. Connections stay open between uses; ``drop`` gives them up after a fault."""

    def __init__(self, settings: DirectorySettings) -> None:
        self.settings = settings
        self._domain: Domain | None = None
        self._writer: Writer | None = None

    @property
    def domain(self) -> Domain:
        """The open domain.

        Raises:
            DirectoryError: no domain controller could be signed in to.
        """
        if self._domain is None:
            self._domain = Domain(self.settings).__enter__()
        return self._domain

    def drop(self) -> None:
        """Close everything; the next use opens it anew, with a fresh ticket."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._domain is not None:
            self._domain.__exit__(None, None, None)
            self._domain = None

    # -- what the worker needs ----------------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        """See ``Domain``."""
        return self.domain.dialect

    @property
    def connector(self) -> str:
        """The account that writes."""
        return self.settings.principal or ""

    def place(self, source: str) -> Place:
        """Where a run takes place."""
        return Place(self.domain.name, self.domain.sid, self.domain.controller.host, source)

    def by_guid(self, guids: Sequence[bytes]) -> dict[bytes, Account]:
        """Those of these accounts that exist now."""
        return self.domain.by_guid(list(guids)) if guids else {}

    def scope(self, among: Sequence[bytes]) -> Scope:
        """Which of these accounts are in scope, as the directory has it now."""
        return scope_of(self.domain, among)

    def time(self) -> datetime | None:
        """What time it is by the domain controller's clock; None when it does not say."""
        return self.domain.ask(lambda session: time_of(session.root("currentTime")))

    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]:
        """See ``Domain``."""
        return self.domain.values_of(guids, server)

    def devices(self, identifiers: Sequence[UUID]) -> list[Device]:
        """Those device objects of the directory with one of these ids that there are."""
        return devices_in(self.domain, identifiers) if identifiers else []

    def origin(self, guid: bytes, binary: bytes) -> Origin | None:
        """Where the value with this binary part was written, as far as the domain controller tells."""
        return origin_in(self.domain, guid, binary)

    def at(self, server: str) -> AbstractContextManager[Directory]:
        """One domain controller and no other."""
        return OneController(self.domain, server, min(ONE_ANSWER_SECONDS, self.settings.timeout))

    def writer(self) -> Writer:
        """A connection for changes: the one that was used last, while it is well."""
        kept, self._writer = self._writer, None
        return _Kept(self, kept or self.domain.writer())

    def keep(self, writer: Writer) -> None:
        """Take back a connection that is well, for the next run."""
        if self._writer is not None:
            self._writer.close()
        self._writer = writer


@dataclass(frozen=True, slots=True)
class DirectoryOpener:
    """Reads all accounts of a domain over a connection of its own; can be sent to another process."""

    settings: DirectorySettings

    def __call__(self) -> Iterator[Account]:
        """Every account.

        Raises:
            DirectoryError: they could not all be read.
        """
        with Domain(self.settings) as domain:
            yield from domain.accounts()


class _Kept:
    """A writer that goes back to its link instead of being closed, unless it is broken."""

    def __init__(self, link: Link, inner: Writer) -> None:
        self._link = link
        self._inner = inner
        self._well = True
        self._closed = False
        self._open = 0
        self.server = inner.server

    def begin_add(self, guid: bytes, value: bytes) -> int:
        return self._begun(self._inner.begin_add(guid, value))

    def begin_delete(self, guid: bytes, value: bytes) -> int:
        return self._begun(self._inner.begin_delete(guid, value))

    def next_answer(self) -> Answer:
        answer = self._inner.next_answer()
        self._open -= 1
        self._well = self._well and answer.verdict is not Verdict.LOST
        return answer

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._well and not self._open:  # an answer that is still to come must not be taken for another's
            self._link.keep(self._inner)
        else:
            self._inner.close()

    def _begun(self, ticket: int) -> int:
        self._well = self._well and ticket >= 0
        self._open += 1
        return ticket


class Linked(Protocol):
    """What the worker needs of a link, so that tests can have one in memory."""

    @property
    def dialect(self) -> Dialect: ...
    @property
    def connector(self) -> str: ...
    def place(self, source: str) -> Place: ...
    def by_guid(self, guids: Sequence[bytes]) -> dict[bytes, Account]: ...
    def scope(self, among: Sequence[bytes]) -> Scope: ...
    def time(self) -> datetime | None: ...
    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]: ...
    def devices(self, identifiers: Sequence[UUID]) -> list[Device]: ...
    def origin(self, guid: bytes, binary: bytes) -> Origin | None: ...
    def at(self, server: str) -> AbstractContextManager[Directory]: ...
    def writer(self) -> Writer: ...
    def drop(self) -> None: ...
