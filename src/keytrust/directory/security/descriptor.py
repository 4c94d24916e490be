"""Self-relative security descriptors, as far as access to a directory object goes ([MS-DTYP] 2.4.4 to 2.4.6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from keytrust.directory.account import sid_text
from keytrust.errors import DirectoryError

MAX_BYTES = 1 << 18
"""Active Directory's own limit is 64 KiB for an ACL."""

_HEADER = struct.Struct("<BBHIIII")
_ACL = struct.Struct("<BBHHH")
_ACE = struct.Struct("<BBH")
_DACL_PRESENT = 0x0004
_ALLOWED, _DENIED, _ALLOWED_OBJECT, _DENIED_OBJECT = 0x00, 0x01, 0x05, 0x06
_CALLBACK = {0x09: _ALLOWED, 0x0A: _DENIED, 0x0B: _ALLOWED_OBJECT, 0x0C: _DENIED_OBJECT}
_OBJECT_TYPE, _INHERITED_OBJECT_TYPE = 1, 2
INHERIT_ONLY, INHERITED = 0x08, 0x10


class SecurityDescriptorError(DirectoryError):
    """The bytes are not a security descriptor."""


@dataclass(frozen=True, slots=True)
class Ace:
    """An access control entry that allows or denies.

    Attributes:
        allow: Allows; else it denies.
        flags: ``INHERIT_ONLY`` and others ([MS-DTYP] 2.4.4.1).
        mask: Access mask ([MS-ADTS] 5.1.3.2).
        sid: To whom, in text form.
        object_type: The attribute, property set, extended right or class it is limited to; None when it is not.
        inherited_object_type: The class of objects to which it is inherited; None when to all.
    """

    allow: bool
    flags: int
    mask: int
    sid: str
    object_type: UUID | None = None
    inherited_object_type: UUID | None = None


@dataclass(frozen=True, slots=True)
class SecurityDescriptor:
    """A security descriptor.

    Attributes:
        owner: SID of the owner; empty when it was not read.
        dacl: Its entries in order; None when there is no DACL, which gives everybody everything.
    """

    owner: str
    dacl: tuple[Ace, ...] | None

    @classmethod
    def parse(cls, data: bytes) -> SecurityDescriptor:
        """Read a self-relative descriptor.

        Raises:
            SecurityDescriptorError: it is too long, cut short, or points outside itself.
        """
        if not _HEADER.size <= len(data) <= MAX_BYTES:
            raise SecurityDescriptorError(f"A security descriptor cannot have {len(data)} bytes.")
        revision, _, control, owner, _, _, dacl = _HEADER.unpack_from(data)
        if revision != 1:
            raise SecurityDescriptorError(f"The revision {revision} of a security descriptor is not known.")
        entries = None
        if control & _DACL_PRESENT and dacl:
            entries = _entries(data, dacl)
        return cls(_sid(data, owner, len(data)) if owner else "", entries)


def parse_ace(data: bytes) -> Ace | None:
    """One entry by itself; None for kinds that neither allow nor deny.

    Raises:
        SecurityDescriptorError: it is cut short.
    """
    if len(data) < _ACE.size:
        raise SecurityDescriptorError("An entry of a security descriptor is cut short.")
    kind, flags, _ = _ACE.unpack_from(data)
    return _ace(data, 0, len(data), kind, flags)


def _entries(data: bytes, offset: int) -> tuple[Ace, ...]:
    if offset + _ACL.size > len(data):
        raise SecurityDescriptorError("A security descriptor's DACL lies outside of it.")
    _, _, size, count, _ = _ACL.unpack_from(data, offset)
    end = offset + size
    if end > len(data) or size < _ACL.size + count * _ACE.size:
        raise SecurityDescriptorError("A security descriptor's DACL is cut short.")
    found = []
    position = offset + _ACL.size
    for _ in range(count):
        if position + _ACE.size > end:
            raise SecurityDescriptorError("A security descriptor's DACL is cut short.")
        kind, flags, length = _ACE.unpack_from(data, position)
        if length < _ACE.size or position + length > end:
            raise SecurityDescriptorError("An entry of a security descriptor is cut short.")
        ace = _ace(data, position, position + length, kind, flags)
        if ace is not None:
            found.append(ace)
        position += length
    return tuple(found)


def _ace(data: bytes, start: int, end: int, kind: int, flags: int) -> Ace | None:
    """An entry; None for kinds that neither allow nor deny."""
    kind = _CALLBACK.get(kind, kind)
    if kind not in (_ALLOWED, _DENIED, _ALLOWED_OBJECT, _DENIED_OBJECT):
        return None
    position = start + _ACE.size
    mask, position = _integer(data, position, end)
    object_type = inherited = None
    if kind in (_ALLOWED_OBJECT, _DENIED_OBJECT):
        present, position = _integer(data, position, end)
        if present & _OBJECT_TYPE:
            object_type, position = _guid(data, position, end)
        if present & _INHERITED_OBJECT_TYPE:
            inherited, position = _guid(data, position, end)
    return Ace(kind in (_ALLOWED, _ALLOWED_OBJECT), flags, mask, _sid(data, position, end), object_type, inherited)


def _integer(data: bytes, position: int, end: int) -> tuple[int, int]:
    if position + 4 > end:
        raise SecurityDescriptorError("An entry of a security descriptor is cut short.")
    return int.from_bytes(data[position : position + 4], "little"), position + 4


def _guid(data: bytes, position: int, end: int) -> tuple[UUID, int]:
    if position + 16 > end:
        raise SecurityDescriptorError("An entry of a security descriptor is cut short.")
    return UUID(bytes_le=data[position : position + 16]), position + 16


def _sid(data: bytes, position: int, end: int) -> str:
    if position + 8 > end or position + 8 + 4 * data[position + 1] > end:
        raise SecurityDescriptorError("A SID in a security descriptor is cut short.")
    return sid_text(data[position : position + 8 + 4 * data[position + 1]])
