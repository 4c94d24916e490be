"""The registered keys, ready to be asked about one account after another. Pure.

What is kept of each cloud user is small, so that a million users fit in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from keytrust.audit.model import Subject
from keytrust.cloud.source import NGC, CloudUser, Reported
from keytrust.credential import canonical_key_id


class Registration(NamedTuple):
    """What the cloud says of one account's keys.

    Attributes:
        user: Who it is in the cloud; empty when nobody.
        keys: Identities of the registered keys (KeyIDs and those of the public keys) that are legible.
        ngc: KeyIDs of the Windows Hello keys among them.
        unknown: Why the list is not known, so that nothing may be concluded from a key's absence; empty when it is.
        no_user: The cloud was read completely and has no user for the account.
    """

    user: str
    keys: frozenset[bytes] = frozenset()
    ngc: frozenset[bytes] = frozenset()
    unknown: str = ""
    no_user: bool = False


_NO_USER = Registration("", no_user=True)


class RegisteredKeys:
    """All cloud users, found by source anchor or SID.

    Attributes:
        users: Number of users read.
        keys: Number of Windows Hello keys that were legible.
    """

    def __init__(self, users: Iterable[CloudUser]) -> None:
        """Read all users to the end; an error of the source passes through, so that a part is never taken for all."""
        self.users = 0
        self.keys = 0
        self._by_anchor: dict[bytes, Registration] = {}
        self._by_sid: dict[str, Registration] = {}
        self._sid_of_anchor: dict[bytes, str] = {}
        self._ambiguous: set[bytes | str] = set()
        for user in users:
            self._take(user)

    def _take(self, user: CloudUser) -> None:
        self.users += 1
        ngc = frozenset(key.key_id for key in user.keys.keys if key.key_type == NGC)
        identities = {key.key_id for key in user.keys.keys}
        identities.update(canonical_key_id(key.material) or b"" for key in user.keys.keys)
        identities.discard(b"")
        keys = ngc if identities == ngc else frozenset(identities)
        unknown = "" if isinstance(user.keys, Reported) else user.keys.reason or "the key list is not known"
        self.keys += len(ngc)
        registration = Registration(user.upn or user.id, keys, ngc, unknown)
        if user.source_anchor is not None:
            if user.source_anchor in self._by_anchor:
                self._ambiguous.add(user.source_anchor)
            self._by_anchor[user.source_anchor] = registration
            if user.sid is not None:
                self._sid_of_anchor[user.source_anchor] = user.sid
        if user.sid is not None:
            if user.sid in self._by_sid:
                self._ambiguous.add(user.sid)
            self._by_sid[user.sid] = registration

    def of(self, subject: Subject) -> Registration:
        """What is registered for an account, matched by source anchor and SID and never by name."""
        if not self.users:
            return Registration("", unknown="the cloud lists no user at all, which is taken for a fault")
        if not subject.anchor and not subject.sid:
            return Registration("", unknown="the account has neither objectGUID nor objectSid to match it by")
        for identity in (subject.anchor, subject.sid):
            if identity in self._ambiguous:
                return Registration("", unknown="several cloud users carry the account's source anchor or SID")
        by_anchor = self._by_anchor.get(subject.anchor) if subject.anchor else None
        by_sid = self._by_sid.get(subject.sid) if subject.sid else None
        if by_anchor is not None:
            sid = self._sid_of_anchor.get(subject.anchor)
            if sid is not None and subject.sid and sid != subject.sid:
                why = f"the source anchor matches {by_anchor.user} but the SIDs differ"
                return by_anchor._replace(keys=frozenset(), ngc=frozenset(), unknown=why)
            return by_anchor
        if by_sid is not None and subject.anchor:
            why = f"the SID matches {by_sid.user} but the source anchor does not"
            return by_sid._replace(keys=frozenset(), ngc=frozenset(), unknown=why)
        return by_sid or _NO_USER
