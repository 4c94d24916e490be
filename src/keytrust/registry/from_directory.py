"""The registry's users come from Active Directory, so that the two directories match by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.registry.database import Database
from keytrust.registry.settings import RegistrySettings
from keytrust.registry.users import ImportedUser, ImportReport, import_users

KRBTGT_RID = "-502"
"""The Kerberos service's own account, which is nobody's ([MS-SAMR] 2.2.1.14)."""


def import_domain(
    settings: RegistrySettings, domain: Domain, progress: Callable[[int], None] | None = None
) -> ImportReport:
    """Bring the registry's users in step with a domain's accounts; those that are gone are softly deleted.

    Raises:
        DirectoryError: the accounts could not all be read; what was read is imported, and nobody is deleted.
        RegistryError: the registry's database failed, or the domain showed no account at all.
    """
    with closing(Database.open(settings.database_url)) as database:
        users = imported(domain.accounts(), domain.name, progress)
        return import_users(database, users, complete=True, actor="keytrust registry import")


def imported(
    accounts: Iterable[Account], domain: str, progress: Callable[[int], None] | None = None
) -> Iterator[ImportedUser]:
    """The people among the accounts, as the registry knows them."""
    for number, account in enumerate(accounts, 1):
        if progress is not None and number % 100 == 0:
            progress(number)
        if account.computer or account.sid.endswith(KRBTGT_RID):
            continue
        yield ImportedUser(
            source_anchor=account.source_anchor,
            upn=account.upn or f"{account.name}@{domain}",
            sid=account.sid,
            sam_account_name=account.name,
            distinguished_name=account.dn,
            domain=domain,
            enabled=account.enabled,
            display_name=account.name,
        )
