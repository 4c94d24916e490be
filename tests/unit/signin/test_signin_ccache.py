from __future__ import annotations

import struct
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from keytrust.signin.ccache import first_ticket


def _counted(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _principal(name: str) -> bytes:
    parts, _, realm = name.rpartition("@")
    components = parts.split("/")
    return (
        struct.pack(">II", 1, len(components))
        + _counted(realm.encode())
        + b"".join(_counted(part.encode()) for part in components)
    )


def _credential(client: str, server: str, end: int) -> bytes:
    addresses = struct.pack(">I", 1) + struct.pack(">H", 2) + _counted(b"\x7f\0\0\1")
    return (
        _principal(client)
        + _principal(server)
        + struct.pack(">H", 18)
        + _counted(b"k" * 32)
        + struct.pack(">IIII", 1, 1, end, 0)
        + b"\0"
        + struct.pack(">I", 0x40E10000)
        + addresses
        + struct.pack(">I", 0)
        + _counted(b"ticket")
        + _counted(b"")
    )


_HEADER = b"\x05\x04\x00\x0c\x00\x01\x00\x08" + b"\0" * 8
_CLIENT = "alïce@CORP.EXAMPLE"
_NOTE = _credential(_CLIENT, "krb5_ccache_conf_data/pa_type/krbtgt@X-CACHECONF:", 0)
_TICKET = _credential(_CLIENT, "krbtgt/CORP.EXAMPLE@CORP.EXAMPLE", 4_000_000_000)
_CACHE = _HEADER + _principal(_CLIENT) + _NOTE + _TICKET


def test_the_librarys_own_notes_are_passed_over() -> None:
    ticket = first_ticket(_CACHE)
    assert ticket is not None
    assert ticket.client == _CLIENT
    assert ticket.server == "krbtgt/CORP.EXAMPLE@CORP.EXAMPLE"
    assert ticket.valid_until == datetime.fromtimestamp(4_000_000_000, UTC)  # after 2038, so unsigned


def test_a_cache_without_a_ticket_has_none() -> None:
    assert first_ticket(b"") is None
    assert first_ticket(_HEADER + _principal(_CLIENT)) is None
    assert first_ticket(_HEADER + _principal(_CLIENT) + _NOTE) is None
    assert first_ticket(b"\x05\x03" + _CACHE[2:]) is None


@given(st.integers(min_value=0, max_value=len(_CACHE) - 1))
def test_a_cache_that_was_cut_short_has_none(size: int) -> None:
    assert first_ticket(_CACHE[:size]) is None


@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing(data: bytes) -> None:
    first_ticket(_HEADER + data)
