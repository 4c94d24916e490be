"""Changing a DACL without loss: entries are kept as the bytes they are, known or not, in the order they have.

Layout: [MS-DTYP] 2.4.4 (ACE), 2.4.5 (ACL), 2.4.6 (SECURITY_DESCRIPTOR). Pure.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from keytrust.directory.security.descriptor import INHERITED, MAX_BYTES, SecurityDescriptorError

SE_DACL_PRESENT, SE_DACL_PROTECTED, SE_SELF_RELATIVE = 0x0004, 0x1000, 0x8000
_DACL_FLAGS = 0x0004 | 0x0008 | 0x0100 | 0x0400 | 0x1000  # present, defaulted, auto-inherit required, auto-inherited, …
_MAX_ACL = 0xFFFF  # AclSize has 16 bits
_ACL_REVISION_DS = 4
_OBJECT_KINDS = frozenset((0x05, 0x06, 0x07, 0x08, 0x0B, 0x0C, 0x0F, 0x10))
_DENY_KINDS = frozenset((0x01, 0x06, 0x0A, 0x0C))
_HEADER = struct.Struct("<BBHIIII")
_ACL = struct.Struct("<BBHHH")
_ACE = struct.Struct("<BBH")


@dataclass(frozen=True, slots=True)
class Dacl:
    """The DACL of a security descriptor.

    Attributes:
        control: The descriptor's control flags.
        revision: The list's revision; 4 when it may hold object entries.
        aces: Its entries in order, each as the bytes it is stored in.
    """

    control: int
    revision: int
    aces: tuple[bytes, ...]

    @classmethod
    def parse(cls, descriptor: bytes) -> Dacl:
        """Take the DACL out of a self-relative descriptor.

        Raises:
            SecurityDescriptorError: it is damaged, or has no DACL (which gives everybody everything: an entry more
                would turn that into nothing for all others).
        """
        if not _HEADER.size <= len(descriptor) <= MAX_BYTES:
            raise SecurityDescriptorError(f"A security descriptor cannot have {len(descriptor)} bytes.")
        revision, _, control, _, _, _, start = _HEADER.unpack_from(descriptor)
        if revision != 1:
            raise SecurityDescriptorError(f"The revision {revision} of a security descriptor is not known.")
        if not control & SE_DACL_PRESENT or not start:
            raise SecurityDescriptorError("The object has no DACL: everybody may do everything with it.")
        if start + _ACL.size > len(descriptor):
            raise SecurityDescriptorError("A security descriptor's DACL lies outside of it.")
        acl_revision, _, size, count, _ = _ACL.unpack_from(descriptor, start)
        end, position = start + size, start + _ACL.size
        aces = []
        for _ in range(count):
            if position + _ACE.size > min(end, len(descriptor)):
                raise SecurityDescriptorError("A security descriptor's DACL is cut short.")
            length = _ACE.unpack_from(descriptor, position)[2]
            if length < _ACE.size or position + length > min(end, len(descriptor)):
                raise SecurityDescriptorError("An entry of a security descriptor is cut short.")
            aces.append(descriptor[position : position + length])
            position += length
        return cls(control, acl_revision, tuple(aces))

    @property
    def protected(self) -> bool:
        """Whether nothing is inherited from above."""
        return bool(self.control & SE_DACL_PROTECTED)

    @property
    def explicit(self) -> tuple[bytes, ...]:
        """The entries that are the object's own."""
        return tuple(ace for ace in self.aces if not _inherited(ace))

    @property
    def canonical(self) -> bool:
        """Whether denials come before grants and the object's own entries before inherited ones."""
        ranks = [_rank(ace) for ace in self.aces]
        own = [rank for rank in ranks if rank < _INHERITED_RANK]
        return own == sorted(own) and ranks[: len(own)] == own

    @property
    def digest(self) -> str:
        """SHA-256 over the object's own entries and whether it inherits: what a plan was made for."""
        content = bytes([self.protected]) + b"".join(self.explicit)
        return hashlib.sha256(content).hexdigest()

    def adding(self, aces: Iterable[bytes]) -> Dacl:
        """With these entries, each in the last place that the canonical order has for it; none is doubled.

        Entries there before keep their order, even one that is not canonical.

        Raises:
            SecurityDescriptorError: the list would be longer than a list can be (64 KiB).
        """
        entries = list(self.aces)
        for ace in aces:
            if ace not in self.explicit:
                entries.insert(_place(entries, _rank(ace)), ace)
        revision = _ACL_REVISION_DS if any(ace[0] in _OBJECT_KINDS for ace in entries) else self.revision
        made = replace(self, revision=max(revision, self.revision), aces=tuple(entries))
        if made._size > _MAX_ACL:
            raise SecurityDescriptorError(
                f"The object's permissions are full: {len(self.aces)} entries in {self._size} of {_MAX_ACL} bytes.",
                not_done="Nothing was changed.",
                remedy="Remove entries that are no longer needed, such as those of deleted accounts.",
            )
        return made

    def removing(self, aces: Iterable[bytes]) -> Dacl:
        """Without these entries of the object's own; those not present are passed over."""
        unwanted = set(aces)
        return replace(self, aces=tuple(ace for ace in self.aces if _inherited(ace) or ace not in unwanted))

    def descriptor(self) -> bytes:
        """A self-relative descriptor that holds this DACL and nothing else, to be written with sd_flags 4."""
        acl = _ACL.pack(self.revision, 0, self._size, len(self.aces), 0) + b"".join(self.aces)
        control = self.control & _DACL_FLAGS | SE_DACL_PRESENT | SE_SELF_RELATIVE
        return _HEADER.pack(1, 0, control, 0, 0, 0, _HEADER.size) + acl

    @property
    def _size(self) -> int:
        return _ACL.size + sum(map(len, self.aces))


_INHERITED_RANK = 4


def _inherited(ace: bytes) -> bool:
    return bool(ace[1] & INHERITED)


def _rank(ace: bytes) -> int:
    """Place in the canonical order: own denials, denials for objects, grants, grants for objects; then inherited."""
    if _inherited(ace):
        return _INHERITED_RANK
    return (0 if ace[0] in _DENY_KINDS else 2) + (ace[0] in _OBJECT_KINDS)


def _place(entries: list[bytes], rank: int) -> int:
    """Before the first entry that belongs after it."""
    return next((index for index, ace in enumerate(entries) if _rank(ace) > rank), len(entries))
