"""What must be remembered of the accounts of all domains: who holds which key, and whose source anchor is whose. Pure.

One is shared by the plans of all configured domains, so that a key on an account of one domain is not given to an
account of another, and a source anchor that two domains claim is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable

from keytrust.sync.model import AccountRef
from keytrust.sync.stored import StoredKey


class Seen:
    """Every account that was read so far, as far as the plans of others need it."""

    def __init__(self) -> None:
        self._holder: dict[bytes, bytes] = {}
        self._several_holders: dict[bytes, set[bytes]] = {}
        self._first: dict[bytes, AccountRef] = {}
        self._rivals: dict[bytes, list[AccountRef]] = {}

    def hold(self, guid: bytes, stored: Iterable[StoredKey]) -> None:
        """Remember whose keys these are."""
        for value in stored:
            key = value.public_key_id
            if key is not None:
                self.hold_key(guid, key)

    def hold_key(self, guid: bytes, public_key_id: bytes) -> None:
        """Remember whose key this is."""
        if self._holder.setdefault(public_key_id, guid) != guid:
            self._several_holders.setdefault(public_key_id, {self._holder[public_key_id]}).add(guid)

    def holders(self, public_key_id: bytes) -> set[bytes]:
        """The GUIDs of all accounts that hold a key."""
        one = self._holder.get(public_key_id)
        return self._several_holders.get(public_key_id) or ({one} if one is not None else set())

    def claim(self, anchor: bytes, account: AccountRef) -> bool:
        """Remember whose source anchor this is; false when another account has claimed it already."""
        first = self._first.setdefault(anchor, account)
        if first.guid == account.guid:
            return True
        self._rivals.setdefault(anchor, [first]).append(account)
        return False

    def rival(self, anchor: bytes, account: AccountRef) -> AccountRef | None:
        """Another account that claims the same source anchor."""
        return next((other for other in self._rivals.get(anchor, ()) if other.guid != account.guid), None)
