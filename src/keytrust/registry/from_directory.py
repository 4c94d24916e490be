"""The registry's users come from Active Directory, so that the two directories match by construction."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.errors import DirectoryError
from keytrust.registry.database import Database
from keytrust.registry.settings import RegistrySettings
from keytrust.registry.user_import import DeletionLimit, ImportedUser, ImportReport, UserImport

_ACTOR = "keytrust registry import"
KRBTGT_RID = "-502"
"""The Kerberos service's own account, which is nobody's ([MS-SAMR] 2.2.1.14)."""


def import_domains(
    settings: RegistrySettings,
    domains: Iterable[Domain],
    progress: Callable[[int], None] | None = None,
    *,
    allow_deletions: int | None = None,
    dry_run: bool = False,
) -> tuple[ImportReport, dict[str, DirectoryError]]:
    """Bring the registry's users in step with the accounts of some domains; those that are gone are softly deleted.

    Of a domain that cannot be read to its end, what was read is imported, and nobody is deleted.

    Args:
        settings: The registry.
        domains: The domains, open.
        progress: Called with the number of accounts read.
        allow_deletions: How many users may be deleted, in place of the limit in the settings.
        dry_run: Change nothing.

    Returns:
        What came of it, and by name the domains that were not read to their ends.

    Raises:
        RegistryError: the registry's database failed.
    """
    limit = DeletionLimit(settings.deletion_limit, settings.deletion_share, allow_deletions)
    faults: dict[str, DirectoryError] = {}
    with closing(Database.open(settings.database_url)) as database:
        run = UserImport(database, dry_run=dry_run, actor=_ACTOR)
        counted = itertools.count(1)
        complete = []
        for domain in domains:
            try:
                if not run.take(imported(domain.accounts(), domain.name, progress, counted)):
                    raise _empty(domain.name)
            except DirectoryError as error:
                faults[domain.name] = error
            else:
                complete.append(domain.name)
        if complete:
            run.delete_missing(limit, complete)
        run.purge()
    return run.report, faults


def import_domain(settings: RegistrySettings, domain: Domain, *, allow_deletions: int | None = None) -> ImportReport:
    """As ``import_domains``, for one domain that must be readable. Raises ``DirectoryError`` if it is not."""
    report, faults = import_domains(settings, [domain], allow_deletions=allow_deletions)
    for error in faults.values():
        raise error
    return report


def _empty(name: str) -> DirectoryError:
    return DirectoryError(
        f"{name} showed no account at all.",
        not_done="No user of this domain was deleted.",
        remedy="Give the connector account Read access to the users.",
    )


def imported(
    accounts: Iterable[Account],
    domain: str,
    progress: Callable[[int], None] | None = None,
    counted: Iterator[int] | None = None,
) -> Iterator[ImportedUser]:
    """The people among the accounts, as the registry knows them. ``counted`` goes on counting from domain to domain."""
    for number, account in zip(counted or itertools.count(1), accounts, strict=False):
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
