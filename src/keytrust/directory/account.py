"""An Active Directory account, as far as key trust is concerned, and how one is made from an LDAP entry. Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from ldap.filter import escape_filter_chars

from keytrust.errors import DirectoryError

KEY_LINK = "msDS-KeyCredentialLink"

ATTRIBUTES = (
    "objectGUID",
    "objectSid",
    "mS-DS-ConsistencyGuid",
    "sAMAccountName",
    "userPrincipalName",
    "userAccountControl",
    "adminCount",
    KEY_LINK,
)
"""What has to be read of an account to plan for it."""

UF_ACCOUNTDISABLE = 0x2
UF_TRUST_ACCOUNTS = 0x800 | 0x1000 | 0x2000
"""userAccountControl bits, [MS-ADTS] 2.2.16: disabled; and those of trusts, workstations and domain controllers."""

Entry = Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Account:
    """One account and the exact key credential values it holds.

    Attributes:
        dn: Distinguished name at the moment of reading (accounts move; ``guid`` does not change).
        guid: ``objectGUID``, the 16 bytes as stored (little-endian fields).
        sid: ``objectSid`` in text form, ``S-1-5-21-…``.
        name: ``sAMAccountName``.
        upn: ``userPrincipalName`` when set.
        consistency_guid: ``mS-DS-ConsistencyGuid`` when set.
        computer: Whether it is a computer or a trust, which no cloud user can be.
        enabled: Whether ``userAccountControl`` lets the account sign in; None when the connector account may not read
            that attribute. Then ``computer`` is not known either, and ``protected`` may be hidden in the same way.
        protected: ``adminCount`` is 1: a privileged account, its ACL comes from AdminSDHolder.
        values: Every ``msDS-KeyCredentialLink`` value exactly as the server returned it. All of them: ranged
            attributes have been read to their end before an ``Account`` exists.
    """

    dn: str
    guid: bytes
    sid: str
    name: str
    upn: str | None
    consistency_guid: bytes | None
    computer: bool
    enabled: bool | None
    protected: bool
    values: tuple[bytes, ...]

    @property
    def source_anchor(self) -> bytes:
        """The bytes whose base64 is the cloud's ``onPremisesImmutableId``: mS-DS-ConsistencyGuid, else objectGUID."""
        return self.consistency_guid or self.guid


def from_entry(dn: str, entry: Entry) -> Account:
    """Make an ``Account`` from a complete LDAP entry.

    Raises:
        DirectoryError: the entry lacks its identity (objectGUID, objectSid), which means that it may not be read.
    """
    guid, sid = _first(entry, "objectGUID"), _first(entry, "objectSid")
    if guid is None or len(guid) != 16 or sid is None:
        raise DirectoryError(
            f"The directory returned {dn} without its objectGUID or objectSid.",
            not_done="This account was left alone.",
            remedy="Give the connector account Read access to the object.",
        )
    # Every account has the attribute ([MS-ADTS] 3.1.1.4): where it is missing it may not be read.
    control = _integer(_first(entry, "userAccountControl"))
    upn = _first(entry, "userPrincipalName")
    return Account(
        dn=dn,
        guid=guid,
        sid=sid_text(sid),
        name=(_first(entry, "sAMAccountName") or b"").decode("utf-8", "replace"),
        upn=None if upn is None else upn.decode("utf-8", "replace"),
        consistency_guid=_first(entry, "mS-DS-ConsistencyGuid") or None,
        computer=control is not None and bool(control & UF_TRUST_ACCOUNTS),
        enabled=None if control is None else not control & UF_ACCOUNTDISABLE,
        protected=(_integer(_first(entry, "adminCount")) or 0) > 0,
        values=tuple(entry.get(KEY_LINK, ())),
    )


def filter_for(name: str) -> str:
    """An LDAP filter for the account of this sAMAccountName (or DOMAIN\\name), userPrincipalName, SID or DN."""
    wanted = escape_filter_chars(name)
    names = "".join(
        f"({attribute}={wanted})" for attribute in ("sAMAccountName", "userPrincipalName", "distinguishedName")
    )
    if name.upper().startswith("S-1-"):
        names += f"(objectSid={wanted})"
    if "\\" in name:
        names += f"(sAMAccountName={escape_filter_chars(name.split(chr(92), 1)[1])})"
    return f"(|{names})"


def sid_text(sid: bytes) -> str:
    """Text form of a binary SID ([MS-DTYP] 2.4.2.1 and 2.4.2.2).

    Raises:
        DirectoryError: the bytes are not a SID.
    """
    if len(sid) < 8 or len(sid) != 8 + 4 * sid[1]:
        raise DirectoryError(f"The directory returned a malformed SID ({sid[:40].hex()}).")
    if not sid[1]:
        return _sid_head(sid)
    return f"{_sid_head(sid[:-4])}-{int.from_bytes(sid[-4:], 'little')}"


@lru_cache(maxsize=1024)  # nearly all SIDs of a domain differ in their last part only
def _sid_head(head: bytes) -> str:
    """All of a SID but its last part."""
    authority = int.from_bytes(head[2:8], "big")
    parts = struct.unpack(f"<{(len(head) - 8) // 4}I", head[8:])
    return "-".join(("S", *map(str, (head[0], authority, *parts))))


def _first(entry: Entry, attribute: str) -> bytes | None:
    values = entry.get(attribute)
    return values[0] if values else None


def guid_text(guid: bytes) -> str:
    """The usual text form of an ``objectGUID``: ``e0d1…-…``, lower case, no braces."""
    return str(UUID(bytes_le=guid))


def _integer(value: bytes | None) -> int | None:
    try:
        return None if value is None else int(value)
    except ValueError:
        return None
