"""Reading the ticket that kinit left: MIT's file credential cache, format version 4 (MIT Kerberos, formats/ccache)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

_VERSION_4 = b"\x05\x04"
_TIMES = struct.Struct(">IIII")
_CONFIGURATION_REALM = "X-CACHECONF:"
"""The realm of the services whose "tickets" are in truth the library's own notes."""


@dataclass(frozen=True)
class Ticket:
    """A ticket: whose, for which service, until when (UTC)."""

    client: str
    server: str
    valid_until: datetime


def first_ticket(cache: bytes) -> Ticket | None:
    """The first ticket in a credential cache, or None when it holds none or is not of version 4."""
    if not cache.startswith(_VERSION_4):
        return None
    reader = _Reader(cache, len(_VERSION_4))
    try:
        reader.take(int.from_bytes(reader.take(2), "big"))  # header fields: the clock offset
        reader.principal()
        while True:
            ticket = reader.credential()
            if not ticket.server.endswith(f"@{_CONFIGURATION_REALM}"):
                return ticket
    except (EOFError, UnicodeDecodeError):
        return None


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise EOFError
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def counted(self) -> bytes:
        return self.take(self.number())

    def count(self) -> int:
        count = self.number()
        if count > len(self._data):  # every element takes at least a byte
            raise EOFError
        return count

    def principal(self) -> str:
        self.number()  # name type
        count = self.count()
        realm = self.counted().decode()
        return "/".join(self.counted().decode() for _ in range(count)) + f"@{realm}"

    def credential(self) -> Ticket:
        client, server = self.principal(), self.principal()
        self.take(2)  # encryption type of the session key
        self.counted()
        _, _, end, _ = _TIMES.unpack(self.take(_TIMES.size))
        self.take(1 + 4)  # is_skey, ticket flags
        for _ in range(2):  # addresses, authorisation data: both lists of typed byte strings
            for _ in range(self.count()):
                self.take(2)
                self.counted()
        self.counted()  # the ticket
        self.counted()  # the second ticket
        return Ticket(client, server, datetime.fromtimestamp(end, UTC))
