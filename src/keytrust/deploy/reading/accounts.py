"""The connector account, a sample of users, and the service connection point, over one signed-in session."""

from __future__ import annotations

import time
from itertools import islice

import ldap

from keytrust.deploy.checks.account_facts import ConnectorFacts, RegistrationPoint, UserFacts
from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.reading.rows import filetime, integer, rows, text
from keytrust.directory.account import KEY_LINK, sid_text
from keytrust.directory.membership import USERS
from keytrust.directory.session import Session

_ENABLED = f"(&{USERS}(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"
_SAMPLE = 8
_MANAGED = {b"msds-groupmanagedserviceaccount", b"msds-managedserviceaccount", b"computer"}
_ACCOUNT = (
    "sAMAccountName",
    "objectClass",
    "userAccountControl",
    "pwdLastSet",
    "msDS-UserPasswordExpiryTimeComputed",
    "accountExpires",
    "adminCount",
    "msDS-AllowedToDelegateTo",
)
PILOT = "Windows Hello for Business"
DRS = "CN=62a0ff2e-97b9-4513-943f-0d221bd30080,CN=Device Registration Configuration,CN=Services"
"""Where devices look for the tenant, below the configuration naming context."""


def read_connector(session: Session, domain_dn: str) -> ConnectorFacts | Unread:
    """The account that the session is signed in as.

    Raises:
        DirectoryError: the directory did not answer.
    """
    # rootDSE tokenGroups is the caller's own token ([MS-ADTS] 3.1.1.3.2.24), which begins with its user.
    token: list[str] = []
    for _, entry in rows(session, "", ldap.SCOPE_BASE, "(objectClass=*)", ["tokenGroups"]):
        token = [sid_text(value) for value in entry.get("tokengroups", ())]
    own = next((sid for sid in token if sid.startswith("S-1-5-21-")), None)
    if own is None:
        return Unread("the domain controller does not say whom it takes us for")
    for dn, entry in rows(session, domain_dn, ldap.SCOPE_SUBTREE, f"(objectSid={own})", _ACCOUNT):
        classes = {value.lower() for value in entry.get("objectclass", ())}
        return ConnectorFacts(
            name=text(entry, "samaccountname"),
            dn=dn,
            control=integer(entry, "useraccountcontrol"),
            managed=bool(classes & _MANAGED),
            password_set=filetime(entry, "pwdlastset"),
            password_expires=filetime(entry, "msds-userpasswordexpirytimecomputed"),
            account_expires=filetime(entry, "accountexpires"),
            protected=(integer(entry, "admincount") or 0) > 0,
            delegates_to=tuple(value.decode("utf-8", "replace") for value in entry.get("msds-allowedtodelegateto", ())),
            groups=frozenset(token) - {own},
        )
    return Unread(f"the account {own}, as which we are signed in, is not in this domain or may not be read")


def read_users(session: Session, domain_dn: str, seconds: float) -> UserFacts:
    """Count the users for at most ``seconds``, and take a sample.

    Raises:
        DirectoryError: the directory did not answer.
    """
    deadline = time.monotonic() + seconds
    holders = f"(&{_ENABLED}({KEY_LINK}=*))"
    sample = list(islice(session.accounts(domain_dn, holders), _SAMPLE))
    if len(sample) < _SAMPLE:
        known = {account.guid for account in sample}
        more = (account for account in session.accounts(domain_dn, _ENABLED) if account.guid not in known)
        sample += islice(more, _SAMPLE - len(sample))
    enrolled, all_enrolled = _count(session, domain_dn, holders, deadline)
    enabled, all_enabled = _count(session, domain_dn, _ENABLED, deadline)
    groups = [
        (text(entry, "cn"), bool(entry.get("member")) or any(name.startswith("member;") for name in entry))
        for _, entry in rows(
            session, domain_dn, ldap.SCOPE_SUBTREE, f"(&(objectClass=group)(cn={PILOT}*))", ["cn", "member"]
        )
    ]
    return UserFacts(enrolled, enabled, all_enrolled and all_enabled, tuple(sample), tuple(groups))


def read_registration(session: Session, configuration: str) -> RegistrationPoint:
    """The service connection point of device registration.

    Raises:
        DirectoryError: the directory did not answer.
    """
    dn = f"{DRS},{configuration}"
    wanted = "(objectClass=serviceConnectionPoint)"
    # Not read by its name: that it is missing would then be an error.
    for found, entry in rows(session, f"CN=Services,{configuration}", ldap.SCOPE_SUBTREE, wanted, ["keywords"]):
        if found.lower() == dn.lower():
            return RegistrationPoint(dn, tuple(value.decode("utf-8", "replace") for value in entry.get("keywords", ())))
    return RegistrationPoint(dn, None)


def _count(session: Session, base: str, chosen: str, deadline: float) -> tuple[int, bool]:
    number = 0
    for _ in session.search(base, ldap.SCOPE_SUBTREE, chosen, ["1.1"]):
        number += 1
        if number % 1000 == 0 and time.monotonic() > deadline:
            return number, False
    return number, True
