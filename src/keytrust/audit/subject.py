"""An object of the directory as the audit sees it, made from an LDAP or LDIF entry. Pure and tolerant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keytrust.audit.model import AccountKind, Subject
from keytrust.directory.account import UF_ACCOUNTDISABLE, UF_TRUST_ACCOUNTS, sid_text
from keytrust.errors import DirectoryError

KEY_LINK = "msds-keycredentiallink"
DESCRIPTOR = "ntsecuritydescriptor"

ATTRIBUTES = (
    "objectClass",
    "objectGUID",
    "objectSid",
    "mS-DS-ConsistencyGuid",
    "sAMAccountName",
    "userPrincipalName",
    "userAccountControl",
    "adminCount",
    "accountExpires",
    "lastLogonTimestamp",
    "msDS-KeyCredentialLink",
)
"""What to ask a directory for."""

LowerEntry = Mapping[str, Sequence[bytes]]
"""Attributes by their names in lower case, without options."""

_EPOCH_DIFFERENCE = 11_644_473_600  # seconds from 1601 to 1970
_NEVER = (0, 0x7FFFFFFFFFFFFFFF)
_COMPUTERS = {b"computer", b"msds-groupmanagedserviceaccount", b"msds-managedserviceaccount"}
_COMPUTERS |= {b"msds-delegatedmanagedserviceaccount", b"msds-device"}
_USERS = {b"user", b"inetorgperson"}
_MAX_NAME = 1024


def subject_of(dn: str, entry: LowerEntry, *, partial: bool = False) -> Subject:
    """Make a ``Subject`` of whatever attributes there are. Malformed ones count as missing."""
    guid = _first(entry, "objectguid")
    guid = guid if len(guid) == 16 else b""
    control = _integer(entry, "useraccountcontrol")
    name = _text(entry, "samaccountname")
    return Subject(
        dn=dn,
        name=name or dn,
        upn=_text(entry, "userprincipalname"),
        kind=_kind(entry, control, name),
        guid=guid,
        sid=_sid(_first(entry, "objectsid")),
        anchor=_first(entry, "ms-ds-consistencyguid")[:64] or guid,
        enabled=None if control is None else not control & UF_ACCOUNTDISABLE,
        expires=_filetime(_integer(entry, "accountexpires")),
        last_signin=_filetime(_integer(entry, "lastlogontimestamp")),
        privileged=(_integer(entry, "admincount") or 0) > 0,
        partial=partial,
    )


def _kind(entry: LowerEntry, control: int | None, name: str) -> AccountKind:
    classes = {value.lower() for value in entry.get("objectclass", ())}
    if classes & _COMPUTERS or (control is not None and control & UF_TRUST_ACCOUNTS):
        return AccountKind.COMPUTER
    if classes & _USERS or control is not None:
        return AccountKind.USER
    if classes:
        return AccountKind.OTHER
    return AccountKind.COMPUTER if name.endswith("$") else AccountKind.USER


def _first(entry: LowerEntry, attribute: str) -> bytes:
    values = entry.get(attribute)
    return bytes(values[0]) if values else b""


def _text(entry: LowerEntry, attribute: str) -> str:
    return _first(entry, attribute).decode("utf-8", "replace")[:_MAX_NAME]


def _integer(entry: LowerEntry, attribute: str) -> int | None:
    value = _first(entry, attribute)
    try:
        return int(value) if 0 < len(value) < 24 else None
    except ValueError:
        return None


def _filetime(value: int | None) -> int | None:
    """A FILETIME in seconds since 1970; None for never."""
    return None if value is None or value in _NEVER or value < 0 else value // 10_000_000 - _EPOCH_DIFFERENCE


def _sid(value: bytes) -> str:
    if value[:2] == b"S-":  # ldapsearch with an overlay, and hand-made dumps, have it as text
        return value.decode("ascii", "replace")[:256]
    try:
        return sid_text(value) if value else ""
    except DirectoryError:
        return ""
