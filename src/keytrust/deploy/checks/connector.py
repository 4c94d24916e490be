"""The account that keytrust signs in as. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from keytrust.deploy.checks.account_facts import ConnectorFacts
from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts
from keytrust.directory.security.privileged import privileged_group

OLD_PASSWORD = timedelta(days=365)
SOON = timedelta(days=14)
_NO_PASSWORD_NEEDED, _NO_PREAUTHENTICATION = 0x20, 0x40_0000
_DELEGATION, _PROTOCOL_TRANSITION = 0x8_0000, 0x100_0000
_REVERSIBLE, _DES_ONLY = 0x80, 0x20_0000
"""userAccountControl, [MS-ADTS] 2.2.16."""

OfConnector = Callable[[ConnectorFacts, Facts], Iterator[Observation]]


def _of(judge: OfConnector) -> Callable[[Facts], Iterator[Observation]]:
    def judged(facts: Facts) -> Iterator[Observation]:
        if isinstance(facts.connector, Unread):
            yield cannot_tell(facts.connector)
        else:
            yield from judge(facts.connector, facts)

    return judged


def _password(connector: ConnectorFacts, facts: Facts) -> Iterator[Observation]:
    if connector.managed:
        yield passed("changes by itself", connector.name)
        return
    if connector.password_set is None:
        yield cannot_tell("when its password was set may not be seen", connector.name)
        return
    age, expires = facts.now - connector.password_set, connector.password_expires
    if expires is not None and expires <= facts.now:
        yield failed(f"expired on {expires:%Y-%m-%d}", connector.name)
    elif expires is not None and expires - facts.now < SOON:
        yield warning(f"expires on {expires:%Y-%m-%d}", connector.name)
    elif age > OLD_PASSWORD:
        yield warning(f"{age.days} days old", connector.name)
    else:
        until = f"expires on {expires:%Y-%m-%d}" if expires else "does not expire"
        yield passed(f"{age.days} days old, {until}", connector.name)


def _expiry(connector: ConnectorFacts, facts: Facts) -> Iterator[Observation]:
    expires = connector.account_expires
    if expires is None:
        yield passed("does not expire", connector.name)
    elif expires <= facts.now:
        yield failed(f"expired on {expires:%Y-%m-%d}", connector.name)
    elif expires - facts.now < SOON:
        yield warning(f"expires on {expires:%Y-%m-%d}", connector.name)
    else:
        yield passed(f"until {expires:%Y-%m-%d}", connector.name)


def _flags(connector: ConnectorFacts, _: Facts) -> Iterator[Observation]:
    faults = {
        _DELEGATION: "it is trusted for delegation to every service",
        _PROTOCOL_TRANSITION: "it is trusted to act for users that have not signed in to it",
        _NO_PASSWORD_NEEDED: "it needs no password (PASSWD_NOTREQD)",
        _NO_PREAUTHENTICATION: "it needs no pre-authentication: its password can be guessed offline",
        _REVERSIBLE: "its password is kept in reversible form",
        _DES_ONLY: "it is limited to DES",
    }
    if connector.control is None:
        yield cannot_tell("its userAccountControl may not be read", connector.name)
        return
    found = [text for bit, text in faults.items() if connector.control & bit]
    if connector.delegates_to:
        found.append(f"it may delegate to {connector.delegates_to[0]}")
    if found:
        yield failed("; ".join(found), connector.name)
    else:
        yield passed("none of them is set", connector.name)


def _privilege(connector: ConnectorFacts, _: Facts) -> Iterator[Observation]:
    if not connector.groups:
        yield cannot_tell("the domain controller does not say which groups its sign-in carries", connector.name)
        return
    held = sorted(filter(None, map(privileged_group, connector.groups)))
    if held:
        yield failed(f"it is in {', '.join(held)}", connector.name)
    elif connector.protected:
        yield warning("adminCount is 1: it is, or was, in a privileged group", connector.name)
    else:
        yield passed(f"{len(connector.groups)} groups, none of them privileged", connector.name)


def rights(facts: Facts) -> Iterator[Observation]:
    """What the account may do, as it was tried."""
    found = facts.rights
    if isinstance(found, Unread):
        yield cannot_tell(found)
        return
    if not found.tried:
        yield cannot_tell("there is no user to try it on")
    for sentence in found.lacking:
        yield failed(sentence)
    for sentence in found.surplus:
        yield warning(sentence)
    for sentence in found.unknown:
        yield cannot_tell(sentence)
    if found.tried and not (found.lacking or found.surplus):
        yield passed(f"it may write keys, and nothing else was found; tried on {found.tried} users")


def overgrant(facts: Facts) -> Iterator[Observation]:
    """Whether the mistake of early adprep for 2016 is there."""
    if isinstance(facts.overgrant, Unread):
        yield cannot_tell(facts.overgrant)
    elif facts.overgrant:
        yield failed("they have full control of the domain: each of their members can make itself its master")
    else:
        yield passed("they do not have full control")


CHECKS = (
    Check(
        "connector-rights",
        Section.PERMISSIONS,
        "The connector account may write msDS-KeyCredentialLink of users, and nothing else",
        "Without the right no key is written; with more than it, whoever takes the account takes the domain.",
        "keytrust setup permissions gives the right; with --check it tries every unit and says what is too much",
        rights,
    ),
    Check(
        "enterprise-key-admins",
        Section.PERMISSIONS,
        "Enterprise Key Admins do not have full control of the domain",
        "adprep of early Windows Server 2016 gave it to them by mistake, in place of the right to one attribute.",
        "keytrust setup overgrant",
        overgrant,
    ),
    Check(
        "connector-password",
        Section.PERMISSIONS,
        "The connector account's password is not old and does not expire soon",
        "When it expires, keys are no longer written; an old one has been seen by many.",
        "Set a new one and write the keytab anew, or use a group managed service account, which does so by itself",
        _of(_password),
    ),
    Check(
        "connector-expiry",
        Section.PERMISSIONS,
        "The connector account does not expire soon",
        "When it does, keys are no longer written.",
        "Set-ADAccountExpiration, or samba-tool user setexpiry --noexpiry",
        _of(_expiry),
    ),
    Check(
        "connector-flags",
        Section.PERMISSIONS,
        "The connector account is not trusted for delegation and has no weakening flags",
        "Who controls this account can sign in as everybody whose keys it may write; each flag is a way to it.",
        "Clear them: Set-ADAccountControl, or samba-tool user edit",
        _of(_flags),
    ),
    Check(
        "connector-privilege",
        Section.PERMISSIONS,
        "The connector account is in no privileged group",
        "It needs one right on one attribute and nothing else.",
        "Take it out of those groups; keytrust setup permissions gives it what it needs",
        _of(_privilege),
    ),
)
