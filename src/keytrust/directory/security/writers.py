"""Who may put a value into ``msDS-KeyCredentialLink``, directly or by first giving itself the right. Pure.

Access masks: [MS-ADTS] 5.1.3.2. Rights through groups are for the caller to resolve: a SID here may be a group's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from keytrust.directory.security.descriptor import INHERIT_ONLY, Ace, SecurityDescriptor

KEY_LINK_GUID = UUID("5b47d60f-6090-40b2-9f37-2a4de88f3063")
"""schemaIDGUID of ``msDS-KeyCredentialLink``, which is in no property set of the base schema."""
VALIDATED_WRITE_COMPUTER = UUID("9b026da6-0d3c-465c-8bee-5199d7165cba")
"""DS-Validated-Write-Computer: a computer may write its own first key."""

EVERYONE, SELF, OWNER_RIGHTS = "S-1-1-0", "S-1-5-10", "S-1-3-4"

_VALIDATED_WRITE, _WRITE_PROPERTY = 0x08, 0x20
_WRITE_DAC, _WRITE_OWNER = 0x0004_0000, 0x0008_0000
_GENERIC_ALL, _GENERIC_WRITE = 0x1000_0000, 0x4000_0000
_FULL_CONTROL = 0x000F_01FF


class Right(StrEnum):
    """How somebody may come to write the attribute."""

    FULL_CONTROL = "full control"
    WRITE_ALL = "write all properties"
    WRITE_ATTRIBUTE = "write msDS-KeyCredentialLink"
    WRITE_SET = "write the property set it is in"
    WRITE_DACL = "change permissions"
    WRITE_OWNER = "take ownership"
    OWNER = "owner"
    VALIDATED = "validated write"


class Writer(NamedTuple):
    """A principal and one of its rights."""

    sid: str
    right: Right


def key_link_writers(descriptor: SecurityDescriptor, property_set: UUID | None = None) -> frozenset[Writer]:
    """Everybody who may write the attribute of the object that the descriptor protects.

    Args:
        descriptor: The object's.
        property_set: ``attributeSecurityGUID`` of the attribute, where a schema has given it one.
    """
    if descriptor.dacl is None:
        return frozenset({Writer(EVERYONE, Right.FULL_CONTROL)})
    effective = [ace for ace in descriptor.dacl if not ace.flags & INHERIT_ONLY]
    denied: set[Writer] = set()
    writers: set[Writer] = set()
    for ace in effective:
        rights = {Writer(ace.sid, right) for right in _rights(ace, property_set)}
        if ace.allow:
            writers |= rights - denied
        else:
            denied |= rights
            denied |= {Writer(ace.sid, right) for right in _denied_with(ace, property_set)}
    # An owner may always change permissions, unless an entry for OWNER RIGHTS says what owners may instead.
    if descriptor.owner and not any(ace.sid == OWNER_RIGHTS for ace in effective):
        writers.add(Writer(descriptor.owner, Right.OWNER))
    return frozenset(writers)


def _rights(ace: Ace, property_set: UUID | None) -> list[Right]:
    mask, limited = ace.mask, ace.object_type
    if mask & _GENERIC_ALL or (mask & _FULL_CONTROL == _FULL_CONTROL and limited is None):
        return [Right.FULL_CONTROL]
    rights = []
    if mask & _WRITE_DAC:
        rights.append(Right.WRITE_DACL)
    if mask & _WRITE_OWNER:
        rights.append(Right.WRITE_OWNER)
    if mask & _GENERIC_WRITE or mask & _WRITE_PROPERTY:
        if limited is None:
            rights.append(Right.WRITE_ALL)
        elif limited == KEY_LINK_GUID:
            rights.append(Right.WRITE_ATTRIBUTE)
        elif limited == property_set:
            rights.append(Right.WRITE_SET)
    if mask & _VALIDATED_WRITE and limited in (None, VALIDATED_WRITE_COMPUTER, KEY_LINK_GUID):
        rights.append(Right.VALIDATED)
    return rights


def _denied_with(ace: Ace, property_set: UUID | None) -> list[Right]:
    """What a refusal to write takes away beside itself: a broad one takes the narrow rights with it."""
    rights = _rights(ace, property_set)
    if Right.FULL_CONTROL in rights:
        return list(set(Right) - {Right.OWNER})
    if Right.WRITE_ALL in rights:
        return [Right.WRITE_ATTRIBUTE, Right.WRITE_SET]
    return []
