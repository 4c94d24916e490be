"""Which accounts a grant does not reach, and why: each account's permissions read, judged by the same few entries."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import ldap
import ldap.dn

from keytrust.directory.account import Entry
from keytrust.directory.editor import DESCRIPTOR, Editor
from keytrust.directory.membership import USERS
from keytrust.directory.security.dacl import Dacl
from keytrust.directory.security.descriptor import INHERIT_ONLY, SecurityDescriptorError, parse_ace
from keytrust.directory.security.writers import KEY_LINK_GUID
from keytrust.errors import DirectoryError

EVERYBODY = frozenset({"S-1-1-0", "S-1-5-11"})
"""Everyone and Authenticated Users: in every account's token."""
_WRITE_PROPERTY, _GENERIC_ALL, _GENERIC_WRITE = 0x20, 0x1000_0000, 0x4000_0000
_WRITES = _WRITE_PROPERTY | _GENERIC_ALL | _GENERIC_WRITE


class Cause(StrEnum):
    """Why the connector account may not write an account's keys."""

    PROTECTED = "adminCount=1: it takes its permissions from AdminSDHolder and inherits none"
    NOT_INHERITING = "inheritance is disabled on the account"
    ABOVE = "inheritance is disabled on a unit above it"
    DENIED = "an entry denies it"
    UNREADABLE = "its permissions cannot be read"
    NOT_YET = "the entry has not come down to it, or is not there"


class _Seen(StrEnum):
    ALLOWED = "allowed"
    DENIED = "denied"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Unreached:
    """An account and why it is not reached."""

    dn: str
    cause: Cause
    where: str = ""


@dataclass(slots=True)
class Reach:
    """How far a grant reaches.

    Attributes:
        accounts: How many people there are.
        causes: How many are not reached, by cause.
        unreached: The first ``limit`` of them.
    """

    accounts: int = 0
    causes: Counter[Cause] = field(default_factory=Counter)
    unreached: list[Unreached] = field(default_factory=list)


def reach(
    editor: Editor,
    domain_dn: str,
    sids: frozenset[str],
    *,
    limit: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Reach:
    """Look at every account of people.

    Args:
        editor: Signed in as somebody who may read permissions.
        domain_dn: The domain.
        sids: The connector account's and those of the groups it is in.
        limit: How many accounts to name; all are counted.
        progress: Told how many accounts have been looked at.
    """
    judge = _Judge(editor, domain_dn, sids | EVERYBODY)
    found = Reach()
    for dn, entry in editor.session.search(domain_dn, ldap.SCOPE_SUBTREE, USERS, [DESCRIPTOR, "adminCount"]):
        found.accounts += 1
        if found.accounts % 100 == 0:
            progress(found.accounts)
        unreached = judge.look(dn, entry)
        if unreached is not None:
            found.causes[unreached.cause] += 1
            if len(found.unreached) < limit:
                found.unreached.append(unreached)
    return found


class _Judge:
    """Judges descriptors. Most accounts of a unit have the same one, which is then judged once."""

    _MOST_REMEMBERED = 50_000

    def __init__(self, editor: Editor, domain_dn: str, sids: frozenset[str]) -> None:
        self._editor = editor
        self._domain = domain_dn.lower()
        self._sids = sids
        self._known: dict[bytes, tuple[_Seen, bool]] = {}
        self._blocked: dict[str, str] = {}

    def look(self, dn: str, entry: Entry) -> Unreached | None:
        raw = entry.get(DESCRIPTOR, ())
        if not raw:
            return Unreached(dn, Cause.UNREADABLE)
        try:
            seen, protected = self._judged(raw[0])
        except SecurityDescriptorError:
            return Unreached(dn, Cause.UNREADABLE)
        if seen is _Seen.ALLOWED:
            return None
        if seen is _Seen.DENIED:
            return Unreached(dn, Cause.DENIED)
        if entry.get("adminCount", [b"0"])[0] not in (b"", b"0") and protected:
            return Unreached(dn, Cause.PROTECTED)
        if protected:
            return Unreached(dn, Cause.NOT_INHERITING)
        where = self._blocked_above(parent(dn))
        return Unreached(dn, Cause.ABOVE, where) if where else Unreached(dn, Cause.NOT_YET)

    def _judged(self, raw: bytes) -> tuple[_Seen, bool]:
        digest = hashlib.sha256(raw).digest()
        if digest not in self._known:
            if len(self._known) >= self._MOST_REMEMBERED:
                self._known.clear()
            dacl = Dacl.parse(raw)
            self._known[digest] = (self._access(dacl), dacl.protected)
        return self._known[digest]

    def _access(self, dacl: Dacl) -> _Seen:
        """The first entry that speaks of it decides, as it does for the domain controller ([MS-ADTS] 5.1.3.3.3)."""
        for entry in dacl.aces:
            ace = parse_ace(entry)
            if ace is None or ace.flags & INHERIT_ONLY or ace.sid not in self._sids:
                continue
            if ace.mask & _WRITES and ace.object_type in (None, KEY_LINK_GUID):
                return _Seen.ALLOWED if ace.allow else _Seen.DENIED
        return _Seen.NOTHING

    def _blocked_above(self, dn: str) -> str:
        """The nearest unit at or above ``dn`` that does not inherit; empty when there is none below the domain."""
        if not dn or dn.lower() == self._domain:
            return ""
        if dn not in self._blocked:
            try:
                protected = self._editor.dacl(dn).protected
            except DirectoryError:
                protected = False
            self._blocked[dn] = dn if protected else self._blocked_above(parent(dn))
        return self._blocked[dn]


def parent(dn: str) -> str:
    """The DN of the object above."""
    parts = ldap.dn.str2dn(dn)
    return str(ldap.dn.dn2str(parts[1:]))
