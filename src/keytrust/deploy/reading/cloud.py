"""The place where keys are registered: whether it answers, by which ways, and what it knows of some accounts."""

from __future__ import annotations

from collections.abc import Sequence

from keytrust.cloud.graph import GraphSource
from keytrust.cloud.one_user import UserName, UserSource
from keytrust.cloud.source import CloudUser, KeySource
from keytrust.deploy.checks.account_facts import CloudFacts, Pairing
from keytrust.deploy.checks.facts import Unread
from keytrust.directory.account import Account
from keytrust.errors import KeytrustError


def read_cloud(source: KeySource, tenant: str) -> CloudFacts | Unread:
    """Try every way to read keys; of a file, read it."""
    try:
        if isinstance(source, GraphSource):
            return CloudFacts(source.name, source.probe().ways, tenant)
        for _ in source.read():
            pass
    except KeytrustError as error:
        return Unread(error.message)
    return CloudFacts(source.name, (), tenant)


def read_pairings(source: KeySource, accounts: Sequence[Account]) -> tuple[Pairing, ...] | Unread:
    """The cloud's users for each account."""
    try:
        if isinstance(source, UserSource):
            return tuple(_pairing(source, account) for account in accounts)
        everybody = list(source.read())
    except KeytrustError as error:
        return Unread(error.message)
    return tuple(Pairing(account, tuple(user for user in everybody if _claims(user, account))) for account in accounts)


def _pairing(source: UserSource, account: Account) -> Pairing:
    found = source.user(UserName(source_anchor=account.source_anchor))
    if found is None and account.upn:
        found = source.user(UserName(upn=account.upn))
    return Pairing(account, () if found is None else (found,))


def _claims(user: CloudUser, account: Account) -> bool:
    same_name = bool(account.upn) and user.upn.casefold() == (account.upn or "").casefold()
    return user.source_anchor == account.source_anchor or user.sid == account.sid or same_name
