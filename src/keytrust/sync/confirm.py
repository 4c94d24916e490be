"""Reading back what was written (rule 6), beside the writing and in batches."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from keytrust.errors import DirectoryError
from keytrust.sync.model import Action, Change
from keytrust.sync.stored import binary_part

BATCH = 50
"""Accounts read back by one search."""

Confirmation = tuple[int, bool, str]
"""Index of the change, whether it was seen, and if not why."""


class Reader(Protocol):
    """The part of a domain that reads accounts."""

    def values_of(self, guids: list[bytes]) -> dict[bytes, tuple[bytes, ...]]: ...


def holds(values: Iterable[bytes], change: Change) -> bool:
    """Whether the change's value is among an account's, whatever the account is called now."""
    wanted = binary_part(change.value)
    return any(binary_part(value) == wanted for value in values)


class Confirmer:
    """Takes accepted changes and tells, later, whether the directory shows them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: list[tuple[int, Change]] = []
        self._reading: list[Future[list[Confirmation]]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="confirm")

    def give(self, index: int, change: Change) -> None:
        """Hand in a change that the server accepted."""
        self._waiting.append((index, change))
        if len(self._waiting) >= BATCH:
            self._read()

    def take(self, *, wait: bool) -> list[Confirmation]:
        """The confirmations that have come in; with ``wait``, of everything that was handed in."""
        if wait and self._waiting:
            self._read()
        done = [future for future in self._reading if wait or future.done()]
        self._reading = [future for future in self._reading if future not in done]
        return [confirmation for future in done for confirmation in future.result()]

    def close(self) -> None:
        """End the reading thread."""
        self._thread.shutdown()

    def _read(self) -> None:
        batch, self._waiting = self._waiting, []
        self._reading.append(self._thread.submit(self._confirm, batch))

    def _confirm(self, batch: list[tuple[int, Change]]) -> list[Confirmation]:
        try:
            now = self._reader.values_of(list({change.account.guid for _, change in batch}))
        except DirectoryError as error:
            return [(index, False, f"could not be read back: {error}") for index, _ in batch]
        return [_judge(index, change, now.get(change.account.guid, ())) for index, change in batch]


def _judge(index: int, change: Change, values: tuple[bytes, ...]) -> Confirmation:
    seen = holds(values, change)
    if change.action is Action.ADD and not seen:
        return index, False, "accepted, but not there when read back"
    if change.action is Action.REMOVE and seen:
        return index, False, "accepted, but still there when read back"
    return index, True, ""
