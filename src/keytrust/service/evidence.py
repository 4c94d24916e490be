"""What the directory tells of values that appeared: their devices, and where and when one was written."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import ldap

from keytrust.audit.devices import DEVICE_ATTRIBUTES, Device, device_of
from keytrust.directory.account import guid_text
from keytrust.directory.domain import Domain
from keytrust.directory.replication import VALUE_METADATA, Origin, origin_of
from keytrust.directory.times import generalized_time

_METADATA = VALUE_METADATA.lower()
_PER_FILTER = 50


def devices_in(domain: Domain, identifiers: Sequence[UUID]) -> list[Device]:
    """Those ``msDS-Device`` objects with one of these ids that there are.

    Raises:
        DirectoryError: the domain cannot be read.
    """
    found: list[Device | None] = []
    with domain.session() as session:
        for start in range(0, len(identifiers), _PER_FILTER):
            wanted = "".join(f"(msDS-DeviceID={_octets(each)})" for each in identifiers[start : start + _PER_FILTER])
            entries = session.search(
                domain.controller.domain,
                ldap.SCOPE_SUBTREE,
                f"(&(objectClass=msDS-Device)(|{wanted}))",
                DEVICE_ATTRIBUTES,
            )
            found += [device_of({name.lower(): values for name, values in entry.items()}) for _, entry in entries]
    return [device for device in found if device is not None]


def _octets(identifier: UUID) -> str:
    return "".join(f"\\{byte:02x}" for byte in identifier.bytes_le)


def origin_in(domain: Domain, guid: bytes, binary: bytes) -> Origin | None:
    """Where the value with this binary part was written.

    A domain controller without value metadata (Samba) at least tells when the account was last changed, which is a
    bound: whoever wrote the value did it then or before.

    Raises:
        DirectoryError: the domain cannot be read.
    """
    with domain.session() as session:
        found = list(
            session.search_whole(
                f"<GUID={guid_text(guid)}>",
                ldap.SCOPE_BASE,
                "(objectClass=*)",
                (VALUE_METADATA, "whenChanged"),
                paged=False,
            )
        )
    entry = found[0][1] if found else {}
    # An account has a document for each value that it ever held: Windows gives a thousand at a time.
    documents = [value for name, values in entry.items() if name.lower() == _METADATA for value in values]
    told = origin_of(documents, binary)
    if told is not None:
        return told
    changed = next((values[0] for name, values in entry.items() if name.lower() == "whenchanged" and values), b"")
    at = generalized_time(changed)
    return None if at is None else Origin("", at, exact=False)
