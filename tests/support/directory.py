"""A directory in memory with the faults that real ones have, behind the interface that ``apply_changes`` uses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from keytrust.directory.account import Account
from keytrust.directory.session import Answer, Verdict
from keytrust.errors import DirectoryError
from keytrust.sync.stored import binary_part

Fault = Callable[[int], Answer | None]
"""Given the number of a change (from 0): the answer to give instead, or None to carry it out."""


class MemoryDirectory:
    """Holds accounts; hands out writers.

    Attributes:
        before_change: Called before each change with its number: the place where other writers come in.
        fault: Decides on faults. ``Verdict.LOST`` cuts the connection *after* the change was carried out when
            ``lost_after`` is set, else before.
        sent: Every change that arrived, for checking what was sent when.
    """

    def __init__(self, *accounts: Account) -> None:
        self.values = {account.guid: list(account.values) for account in accounts}
        self._accounts = {account.guid: account for account in accounts}
        self.fault: Fault = lambda _: None
        self.before_change: Callable[[int], None] = lambda _: None
        self.lost_after = False
        self.blind = False
        self.writers_refused = 0
        self.sent: list[tuple[str, bytes, bytes]] = []
        self.max_in_flight = 0

    def account(self, guid: bytes) -> Account:
        return replace(self._accounts[guid], values=tuple(self.values[guid]))

    def accounts(self) -> list[Account]:
        return [self.account(guid) for guid in self._accounts]

    def remove_account(self, guid: bytes) -> None:
        del self._accounts[guid], self.values[guid]

    def by_guid(self, guids: list[bytes]) -> dict[bytes, Account]:
        found = {guid: self.account(guid) for guid in guids if guid in self._accounts}
        return {guid: replace(account, values=()) for guid, account in found.items()} if self.blind else found

    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]:
        return {guid: account.values for guid, account in self.by_guid(guids).items()}

    def writer(self) -> MemoryWriter:
        if self.writers_refused:
            self.writers_refused -= 1
            raise DirectoryError("no server")
        return MemoryWriter(self)


class MemoryWriter:
    server = "dc1.corp.example"

    def __init__(self, directory: MemoryDirectory) -> None:
        self._directory = directory
        self._waiting: deque[tuple[int, str, bytes, bytes]] = deque()
        self._dead = False
        self._tickets = 0

    def begin_add(self, guid: bytes, value: bytes) -> int:
        return self._begin("add", guid, value)

    def begin_delete(self, guid: bytes, value: bytes) -> int:
        return self._begin("remove", guid, value)

    def _begin(self, action: str, guid: bytes, value: bytes) -> int:
        if self._dead:
            return -1
        self._tickets += 1
        self._waiting.append((self._tickets, action, guid, value))
        self._directory.max_in_flight = max(self._directory.max_in_flight, len(self._waiting))
        return self._tickets

    def next_answer(self) -> Answer:
        directory = self._directory
        if self._dead or not self._waiting:
            return Answer(None, Verdict.LOST, "closed")
        ticket, action, guid, value = self._waiting.popleft()
        number = len(directory.sent)
        directory.sent.append((action, guid, value))
        directory.before_change(number)
        fault = directory.fault(number)
        if fault is not None and fault.verdict is Verdict.LOST:
            if directory.lost_after:
                self._carry_out(ticket, action, guid, value)
            self._dead = True
            return fault
        if fault is not None:
            return replace(fault, ticket=ticket)
        return self._carry_out(ticket, action, guid, value)

    def _carry_out(self, ticket: int, action: str, guid: bytes, value: bytes) -> Answer:
        values = self._directory.values.get(guid)
        if values is None:
            return Answer(ticket, Verdict.REFUSED, "the account no longer exists")
        same = [stored for stored in values if binary_part(stored) == binary_part(value)]
        if action == "add":
            if same:
                return Answer(ticket, Verdict.ALREADY)
            values.append(value)
        elif value in values:
            values.remove(value)
        else:
            return Answer(ticket, Verdict.ALREADY)
        return Answer(ticket, Verdict.DONE)

    def close(self) -> None:
        self._dead = True
