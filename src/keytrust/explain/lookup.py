"""Finding what belongs to one account without reading everything, as far as the other side lets us."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from keytrust.cloud.one_user import UserName, UserSource
from keytrust.cloud.source import CloudUser, KeySource
from keytrust.directory.account import KEY_LINK, Account
from keytrust.directory.domain import Domain

MOST_HOLDERS = 5_000
"""Accounts with keys that are looked through for a shared key, where the directory cannot search by key."""
_DN_BINARY_SEARCH = "1.2.840.113556.1.4.2253"
"""LDAP_MATCHING_RULE_DN_WITH_DATA, [MS-ADTS] 3.1.1.3.4.4.3; Windows only."""
_KEY_ID_PREFIX = "00020000200001"
"""Version 2, then an entry of 32 bytes with identifier 1: how a value with this KeyID begins."""


def users_for(source: KeySource, account: Account) -> list[CloudUser]:
    """The cloud users that claim to be this account: by source anchor, by SID, or else by the same UPN.

    Raises:
        CloudError: the cloud could not be read, or has several users where one is meant.
    """
    if not isinstance(source, UserSource):
        return [
            user for user in source.read() if user.source_anchor == account.source_anchor or user.sid == account.sid
        ]
    found = source.user(UserName(source_anchor=account.source_anchor))
    if found is None and account.upn:
        found = source.user(UserName(upn=account.upn))
    return [] if found is None else [found]


def holders_of(domain: Domain, key_ids: Collection[bytes]) -> list[Account]:
    """Accounts that may hold one of these keys; on Samba, which cannot search by key, the first holders of any.

    Raises:
        DirectoryError: the directory could not be read.
    """
    if domain.controller.samba:
        chosen = f"({KEY_LINK}=*)"
    else:
        data = (f"{_KEY_ID_PREFIX}{key_id.hex()}" for key_id in key_ids)
        chosen = "(|" + "".join(f"({KEY_LINK}:{_DN_BINARY_SEARCH}:=B:{len(d)}:{d}:)" for d in data) + ")"
    with domain.session() as session:
        return list(islice(session.accounts(domain.controller.domain, chosen), MOST_HOLDERS))
