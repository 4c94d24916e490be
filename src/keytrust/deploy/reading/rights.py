"""What the connector account may do, and what others may do to the domain, read as that account."""

from __future__ import annotations

import time
from collections.abc import Sequence

import ldap

from keytrust.deploy.checks.account_facts import RightsFacts, UserFacts
from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.permissions.entries import full_control
from keytrust.deploy.permissions.trial import Code, try_rights
from keytrust.deploy.reading.rows import rows
from keytrust.directory.account import KEY_LINK, Account
from keytrust.directory.domain import Domain
from keytrust.directory.editor import Editor
from keytrust.directory.security.control import OWNER_GROUP_DACL
from keytrust.directory.security.descriptor import parse_ace
from keytrust.directory.session import Session
from keytrust.errors import DirectoryError

_ENTERPRISE_KEY_ADMINS = "-527"


class _OverdueError(Exception):
    """The trial takes longer than the doctor may."""


def read_rights(domain: Domain, session: Session, users: UserFacts | Unread, seconds: float) -> RightsFacts | Unread:
    """Try the connector account's rights in all units, or in a large domain on a sample.

    Raises:
        DirectoryError: the directory did not answer.
    """
    if isinstance(users, Unread):
        return users
    if users.complete:
        deadline = time.monotonic() + seconds

        def look_at_the_clock(_: int) -> None:
            if time.monotonic() > deadline:
                raise _OverdueError

        try:
            trial = try_rights(domain, progress=look_at_the_clock)
        except _OverdueError:
            return _of_sample(session, users.sample)
        known = [each for each in trial.findings if each.code is not Code.CANNOT_TELL]
        return RightsFacts(
            tried=trial.samples,
            lacking=tuple(each.sentence for each in known if each.too_little),
            surplus=tuple(each.sentence for each in known if not each.too_little),
            unknown=tuple(each.sentence for each in trial.findings if each.code is Code.CANNOT_TELL),
        )
    return _of_sample(session, users.sample)


def _of_sample(session: Session, accounts: Sequence[Account]) -> RightsFacts:
    lacking = []
    tried = [account for account in accounts if not account.protected]
    for account in tried:
        for _, entry in rows(session, account.dn, ldap.SCOPE_BASE, "(objectClass=*)", ["allowedAttributesEffective"]):
            writable = {
                value.decode("utf-8", "replace").lower() for value in entry.get("allowedattributeseffective", ())
            }
            if KEY_LINK.lower() not in writable:
                lacking.append(f"The connector account may not write {KEY_LINK} of {account.dn}.")
    left_out = "The domain is too large to try every unit, and for rights that are too many, in so short a time"
    return RightsFacts(len(tried), tuple(lacking), (), (f"{left_out}: keytrust setup permissions --check does.",))


def read_overgrant(domain: Domain) -> bool | Unread:
    """Whether Enterprise Key Admins have full control of the domain, the mistake of early adprep for 2016."""
    try:
        with domain.session((OWNER_GROUP_DACL,)) as session:
            dacl = Editor(session).dacl(domain.controller.domain)
    except DirectoryError as error:
        return Unread(error.message)
    entries = (parse_ace(raw) for raw in dacl.explicit)
    sids = {ace.sid for ace in entries if ace is not None and ace.sid.endswith(_ENTERPRISE_KEY_ADMINS)}
    return any(full_control(dacl, sid) for sid in sids)
