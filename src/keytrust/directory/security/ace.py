"""Single access control entries: made, and shown in the security descriptor language ([MS-DTYP] 2.5.1). Pure."""

from __future__ import annotations

import struct
from uuid import UUID

from keytrust.directory.account import sid_text
from keytrust.errors import DirectoryError

OBJECT_INHERIT, CONTAINER_INHERIT, NO_PROPAGATE, INHERIT_ONLY, INHERITED = 0x01, 0x02, 0x04, 0x08, 0x10
READ_PROPERTY, WRITE_PROPERTY = 0x10, 0x20
_ALLOWED_OBJECT = 0x05
_KINDS = {0x00: "A", 0x01: "D", 0x02: "AU", 0x05: "OA", 0x06: "OD", 0x07: "OU", 0x09: "XA", 0x0A: "XD"}
_FLAGS = ((0x01, "OI"), (0x02, "CI"), (0x04, "NP"), (0x08, "IO"), (0x10, "ID"), (0x40, "SA"), (0x80, "FA"))
_RIGHTS = (
    (0x00000001, "CC"), (0x00000002, "DC"), (0x00000004, "LC"), (0x00000008, "SW"), (0x00000010, "RP"),
    (0x00000020, "WP"), (0x00000040, "DT"), (0x00000080, "LO"), (0x00000100, "CR"), (0x00010000, "SD"),
    (0x00020000, "RC"), (0x00040000, "WD"), (0x00080000, "WO"), (0x10000000, "GA"), (0x20000000, "GX"),
    (0x40000000, "GW"), (0x80000000, "GR"),
)  # fmt: skip


def allow_property(
    sid: str, attribute: UUID, *, mask: int = READ_PROPERTY | WRITE_PROPERTY, flags: int = 0, on: UUID | None = None
) -> bytes:
    """An ACCESS_ALLOWED_OBJECT_ACE for one attribute.

    Args:
        sid: To whom.
        attribute: schemaIDGUID of the attribute.
        mask: Rights.
        flags: Inheritance.
        on: schemaIDGUID of the class of objects to which it is inherited; None for all.
    """
    present = 1 | (2 if on is not None else 0)
    body = struct.pack("<II", mask, present) + attribute.bytes_le + (on.bytes_le if on is not None else b"")
    body += sid_bytes(sid)
    return struct.pack("<BBH", _ALLOWED_OBJECT, flags, len(body) + 4) + body


def sid_bytes(text: str) -> bytes:
    """The binary form of a SID.

    Raises:
        ValueError: it is none.
    """
    mark, revision, authority, *parts = text.split("-")
    if mark != "S" or revision != "1" or len(parts) > 15:
        raise ValueError(f"{text!r} is not a SID")
    numbers = [int(part) for part in parts]
    return bytes((1, len(numbers))) + int(authority).to_bytes(6, "big") + struct.pack(f"<{len(numbers)}I", *numbers)


def ace_text(ace: bytes) -> str:
    """An entry as people write it, ``(OA;CIIO;RPWP;…;…;S-1-5-…)``; of kinds without such a form, its bytes."""
    kind, flags = ace[0], ace[1]
    name = _KINDS.get(kind)
    if name is None or len(ace) < 16:
        return f"(kind 0x{kind:02x}: {ace.hex()})"
    mask = int.from_bytes(ace[4:8], "little")
    position, guids = 8, ["", ""]
    if name.startswith("O"):
        present = int.from_bytes(ace[8:12], "little")
        position = 12
        for bit, index in ((1, 0), (2, 1)):
            if present & bit:
                guids[index] = str(UUID(bytes_le=ace[position : position + 16])) if position + 16 <= len(ace) else "?"
                position += 16
    length = 8 + 4 * ace[position + 1] if position + 1 < len(ace) else 0
    try:
        sid = sid_text(ace[position : position + length])
    except DirectoryError:
        sid = "?"
    return f"({name};{_names(_FLAGS, flags)};{_rights(mask)};{guids[0]};{guids[1]};{sid})"


def _names(table: tuple[tuple[int, str], ...], bits: int) -> str:
    return "".join(name for bit, name in table if bits & bit)


def _rights(mask: int) -> str:
    known = sum(bit for bit, _ in _RIGHTS)
    return f"0x{mask:x}" if mask & ~known else _names(_RIGHTS, mask)
