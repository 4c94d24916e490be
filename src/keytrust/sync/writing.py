"""What carrying out changes needs of a directory."""

from __future__ import annotations

from typing import Protocol

from keytrust.directory.session import Answer


class Writer(Protocol):
    """The part of a directory session that changes values."""

    server: str

    def begin_add(self, guid: bytes, value: bytes) -> int: ...
    def begin_delete(self, guid: bytes, value: bytes) -> int: ...
    def next_answer(self) -> Answer: ...
    def close(self) -> None: ...


class Directory(Protocol):
    """What carrying out a plan needs of a domain."""

    def writer(self) -> Writer: ...
    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]: ...
