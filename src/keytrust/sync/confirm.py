"""Reading back what was written (rule 6), beside the writing and in batches."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from keytrust.errors import DirectoryError
from keytrust.sync.model import Action, Change
from keytrust.sync.stored import binary_part

BATCH = 50
"""Accounts read back by one search."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What was seen of one change.

    Attributes:
        index: Which change.
        server: Where it was looked for: where it had been written, since others may not know of it yet.
        seen: Whether the directory is as the change wants it; None when it could not be read.
        detail: Why not.
    """

    index: int
    server: str
    seen: bool | None
    detail: str = ""


class Reader(Protocol):
    """The part of a domain that reads accounts."""

    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]: ...


def holds(values: Iterable[bytes], change: Change) -> bool:
    """Whether the change's value is among an account's, whatever the account is called now."""
    wanted = binary_part(change.value)
    return any(binary_part(value) == wanted for value in values)


def fulfilled(values: Iterable[bytes], change: Change) -> bool:
    """Whether an account's values are as the change wants them."""
    return holds(values, change) == (change.action is Action.ADD)


class Confirmer:
    """Takes accepted changes and tells, later, whether the directory shows them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: dict[str, list[tuple[int, Change]]] = {}
        self._reading: list[Future[list[Confirmation]]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="confirm")

    def give(self, index: int, change: Change, server: str) -> None:
        """Hand in a change that this domain controller accepted."""
        waiting = self._waiting.setdefault(server, [])
        waiting.append((index, change))
        if len(waiting) >= BATCH:
            self._read(server)

    def take(self, *, wait: bool) -> list[Confirmation]:
        """The confirmations that have come in; with ``wait``, of everything that was handed in."""
        if wait:
            for server in list(self._waiting):
                self._read(server)
        done = [future for future in self._reading if wait or future.done()]
        self._reading = [future for future in self._reading if future not in done]
        return [confirmation for future in done for confirmation in future.result()]

    def close(self) -> None:
        """End the reading thread."""
        self._thread.shutdown()

    def _read(self, server: str) -> None:
        batch = self._waiting.pop(server)
        self._reading.append(self._thread.submit(self._confirm, server, batch))

    def _confirm(self, server: str, batch: list[tuple[int, Change]]) -> list[Confirmation]:
        try:
            now = self._reader.values_of(list({change.account.guid for _, change in batch}), server)
        except DirectoryError as error:
            return [Confirmation(index, server, None, f"could not be read back: {error}") for index, _ in batch]
        return [_judge(index, change, server, now.get(change.account.guid, ())) for index, change in batch]


def _judge(index: int, change: Change, server: str, values: tuple[bytes, ...]) -> Confirmation:
    if fulfilled(values, change):
        return Confirmation(index, server, True)
    still = "not" if change.action is Action.ADD else "still"
    return Confirmation(index, server, False, f"accepted, but {still} there when read back")
