"""The access control entries that this is about: which grant the right, which grant far too much. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from keytrust.directory.security.ace import (
    CONTAINER_INHERIT,
    INHERIT_ONLY,
    READ_PROPERTY,
    WRITE_PROPERTY,
    allow_property,
)
from keytrust.directory.security.dacl import Dacl
from keytrust.directory.security.descriptor import Ace, parse_ace
from keytrust.directory.security.writers import KEY_LINK_GUID

USER_CLASS = UUID("bf967aba-0de6-11d0-a285-00aa003049e2")
INET_ORG_PERSON = UUID("4828cc14-1437-45bc-9b07-ad6f015e5f28")
CLASSES = (USER_CLASS, INET_ORG_PERSON)
"""schemaIDGUIDs of the classes of people. An entry for the first does not reach objects of the second."""

_READ_WRITE = READ_PROPERTY | WRITE_PROPERTY
_GENERIC_ALL = 0x1000_0000
_FULL_CONTROL = 0x000F_01FF


def descendants(sid: str, of: UUID) -> bytes:
    """Read and write keys of all descendants of one class: the guide's older path."""
    return allow_property(sid, KEY_LINK_GUID, flags=CONTAINER_INHERIT | INHERIT_ONLY, on=of)


def everywhere(sid: str) -> bytes:
    """Read and write keys of the object and everything below it: what Windows gives Key Admins."""
    return allow_property(sid, KEY_LINK_GUID, flags=CONTAINER_INHERIT)


def here_only(sid: str) -> bytes:
    """Read and write keys of this object, nothing inherited: for AdminSDHolder, which is copied as it is."""
    return allow_property(sid, KEY_LINK_GUID)


def grants(dacl: Dacl, sid: str, of: UUID) -> bool:
    """Whether the object's own entries give ``sid`` the right on descendants of a class."""
    return any(
        ace.flags & CONTAINER_INHERIT and ace.inherited_object_type in (None, of) and _allows(ace)
        for ace in _of(dacl.explicit, sid)
    )


def grants_here(dacl: Dacl, sid: str) -> bool:
    """Whether the object's own entries give ``sid`` the right on the object itself."""
    return any(not ace.flags & INHERIT_ONLY and _allows(ace) for ace in _of(dacl.explicit, sid))


def full_control(dacl: Dacl, sid: str) -> list[bytes]:
    """The object's own entries that give ``sid`` full control."""
    return [raw for raw in dacl.explicit if (ace := parse_ace(raw)) is not None and ace.sid == sid and _all(ace)]


def _of(entries: Iterable[bytes], sid: str) -> Iterable[Ace]:
    return (ace for ace in map(parse_ace, entries) if ace is not None and ace.sid == sid)


def _allows(ace: Ace) -> bool:
    wanted = ace.mask & _READ_WRITE == _READ_WRITE or ace.mask & _GENERIC_ALL
    return bool(ace.allow and wanted and ace.object_type in (None, KEY_LINK_GUID))


def _all(ace: Ace) -> bool:
    everything = ace.mask & _GENERIC_ALL or ace.mask & _FULL_CONTROL == _FULL_CONTROL
    return bool(ace.allow and ace.object_type is None and everything)
