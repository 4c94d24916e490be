"""Which cloud user an account belongs to: by source anchor, corroborated by SID, and never by a guess. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keytrust.cloud.source import NGC, CloudUser
from keytrust.directory.account import Account
from keytrust.sync.model import AccountRef, Conflict, ConflictCode


class CloudIndex:
    """All cloud users, found by source anchor, SID or key.

    Attributes:
        users: Number of users read.
        cloud_only: Those without a source anchor.
        keys: Number of Windows Hello for Business keys that were positively reported.
    """

    def __init__(self, users: Iterable[CloudUser]) -> None:
        """Read all users to the end; an error of the source passes through, so that a part is never taken for all."""
        self.users = 0
        self.cloud_only = 0
        self.keys = 0
        self._by_anchor: dict[bytes, CloudUser] = {}
        self._same_anchor: dict[bytes, list[CloudUser]] = {}
        self._by_sid: dict[str, CloudUser] = {}
        self._same_sid: dict[str, list[CloudUser]] = {}
        self._key_owner: dict[bytes, str] = {}
        self._shared_keys: dict[bytes, set[str]] = {}
        for user in users:
            self._take(user)

    def _take(self, user: CloudUser) -> None:
        self.users += 1
        if user.sid is not None:
            other = self._by_sid.setdefault(user.sid, user)
            if other is not user:
                self._same_sid.setdefault(user.sid, [other]).append(user)
        for key in user.keys.keys:
            if key.key_type == NGC:
                self.keys += 1
                owner = self._key_owner.setdefault(key.key_id, user.id)
                if owner != user.id:
                    self._shared_keys.setdefault(key.key_id, {owner}).add(user.id)
        if user.source_anchor is None:
            self.cloud_only += 1
            return
        other = self._by_anchor.setdefault(user.source_anchor, user)
        if other is not user:
            self._same_anchor.setdefault(user.source_anchor, [other]).append(user)

    def anchored_with_keys(self) -> int:
        """Number of users that have both a source anchor and a key."""
        return sum(1 for user in self._by_anchor.values() if user.keys.keys)

    def registered_to(self, key_id: bytes) -> int:
        """To how many cloud users this key is registered."""
        return len(self._shared_keys.get(key_id, ())) or int(key_id in self._key_owner)

    def anchored(self, anchor: bytes) -> CloudUser | None:
        """A cloud user with this source anchor."""
        return self._by_anchor.get(anchor)

    def match(self, account: Account, *, need_sid: bool) -> CloudUser | Conflict | None:
        """The cloud user that this account belongs to; None when there is none; a conflict when it is not certain.

        Args:
            account: The account.
            need_sid: Whether a cloud user that reports no SID is a conflict (the default policy).
        """
        if account.computer:
            return None
        anchor = account.source_anchor
        if anchor in self._same_anchor:
            return _conflict(
                ConflictCode.ANCHOR_SHARED_IN_CLOUD,
                account,
                self._same_anchor[anchor],
                "several cloud users carry this account's source anchor",
            )
        if account.sid in self._same_sid:
            return _conflict(
                ConflictCode.SID_SHARED_IN_CLOUD,
                account,
                self._same_sid[account.sid],
                "several cloud users carry this account's SID",
            )
        user = self._by_anchor.get(anchor)
        if user is None:
            return self._claimed_by_sid_only(account)
        if user.sid is None:
            if need_sid:
                return _conflict(
                    ConflictCode.SID_MISSING, account, [user], "the source anchor matches but the cloud reports no SID"
                )
            return user
        if user.sid != account.sid:
            return _conflict(
                ConflictCode.SID_DIFFERS,
                account,
                [user],
                f"the source anchor matches but the cloud reports the SID {user.sid}",
            )
        return user

    def _claimed_by_sid_only(self, account: Account) -> Conflict | None:
        claimant = self._by_sid.get(account.sid)
        if claimant is None:
            return None
        return _conflict(
            ConflictCode.ANCHOR_DIFFERS,
            account,
            [claimant],
            "the SID matches but the source anchor does not",
        )


def _conflict(code: ConflictCode, account: Account, users: list[CloudUser], what: str) -> Conflict:
    names = tuple(user.upn or user.id for user in users)
    sentence = f"{account.name}: {what} ({', '.join(names[:5])})."
    return Conflict(code, AccountRef.of(account), names, sentence)
