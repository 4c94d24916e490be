"""Security descriptors made by hand, byte by byte ([MS-DTYP] 2.4.6)."""

from __future__ import annotations

from struct import pack
from uuid import UUID

DOMAIN = "S-1-5-21-1-2-3"
ADMINS = f"{DOMAIN}-512"


def sid(text: str) -> bytes:
    _, _, authority, *parts = text.split("-")
    return bytes((1, len(parts))) + int(authority).to_bytes(6, "big") + b"".join(pack("<I", int(p)) for p in parts)


def ace(who: str, mask: int, *, allow: bool = True, flags: int = 0, object_type: UUID | None = None) -> bytes:
    kind = (0 if allow else 1) + (5 if object_type else 0)
    body = pack("<I", mask) + (pack("<I", 1) + object_type.bytes_le if object_type else b"") + sid(who)
    return pack("<BBH", kind, flags, len(body) + 4) + body


def descriptor(*aces: bytes, owner: str = ADMINS, dacl: bool = True, protected: bool = False) -> bytes:
    entries = b"".join(aces)
    acl = pack("<BBHHH", 4, 0, 8 + len(entries), len(aces), 0) + entries if dacl else b""
    owned = sid(owner)
    control = (0x8004 if dacl else 0x8000) | (0x1000 if protected else 0)
    header = pack("<BBHIIII", 1, 0, control, 20, 0, 0, 20 + len(owned) if dacl else 0)
    return header + owned + acl
