"""The place where keys are registered, and whether both sides mean the same people. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from keytrust.cloud.source import CloudUser
from keytrust.deploy.checks.account_facts import Pairing
from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts
from keytrust.directory.account import Account

_KEYS = {"collection", "batch", "single"}
_FALLBACK_DOMAIN = ".onmicrosoft.com"
_FALLBACK_SUFFIX = (".local", ".internal", ".lan", ".corp", ".home", ".test", ".invalid")


def reachable(facts: Facts) -> Iterator[Observation]:
    """Whether it answers and takes our credentials."""
    yield failed(facts.cloud.why) if isinstance(facts.cloud, Unread) else passed(facts.cloud.name)


def permissions(facts: Facts) -> Iterator[Observation]:
    """Which ways of reading work."""
    cloud = facts.cloud
    if isinstance(cloud, Unread):
        yield cannot_tell(cloud)
        return
    if not cloud.ways:
        yield passed(f"{cloud.name} is a file")
        return
    readable = any(way.works for way in cloud.ways if way.name in _KEYS)
    unknown = any(way.works is None for way in cloud.ways if way.name in _KEYS)
    if readable:
        yield passed("keys are read by " + ", ".join(way.name for way in cloud.ways if way.name in _KEYS and way.works))
    elif unknown:
        yield cannot_tell("there is no user to try it on")
    else:
        yield failed("; ".join(f"{way.name}: {way.seen}" for way in cloud.ways if way.name in _KEYS))
    for way in cloud.ways:
        if way.name not in _KEYS and way.works is False:
            yield warning(f"{way.seen}; it shows {way.use} ({way.permission})", way.name)


def anchors(facts: Facts) -> Iterator[Observation]:
    """Whether the sample of accounts and the cloud's users carry the same source anchor and SID."""
    if isinstance(facts.pairings, Unread):
        yield cannot_tell(facts.pairings)
        return
    for pairing in facts.pairings:
        yield _anchored(pairing)


def _anchored(pairing: Pairing) -> Observation:
    account, users = pairing.account, pairing.users
    mine = [user for user in users if user.source_anchor == account.source_anchor]
    if len(mine) > 1:
        return failed(f"{len(mine)} cloud users carry its source anchor", account.name)
    if not users:
        # Somebody with a key was synchronised once; somebody without may never have been meant to be.
        seen = "the cloud has no user for it"
        return failed(f"{seen}, and it has keys", account.name) if account.values else warning(seen, account.name)
    if not mine:
        other = users[0].source_anchor
        has = f"the source anchor {other.hex()}" if other else "no source anchor"
        return failed(f"{users[0].upn} has {has}, the account {account.source_anchor.hex()}", account.name)
    sid = mine[0].sid
    if sid is None:
        return warning(f"{mine[0].upn} reports no SID to corroborate it", account.name)
    if sid != account.sid:
        return failed(f"{mine[0].upn} has the SID {sid}, the account {account.sid}", account.name)
    return passed(f"{mine[0].upn}, source anchor and SID agree", account.name)


def suffixes(facts: Facts) -> Iterator[Observation]:
    """Whether the sample of accounts signs in by the same name on both sides, in a domain that can be verified."""
    if isinstance(facts.pairings, Unread):
        yield cannot_tell(facts.pairings)
        return
    for account, user in _pairs(facts.pairings):
        yield _named(account, user)


def _pairs(pairings: tuple[Pairing, ...]) -> Iterator[tuple[Account, CloudUser]]:
    for pairing in pairings:
        for user in pairing.users:
            if user.source_anchor == pairing.account.source_anchor:
                yield pairing.account, user


def _named(account: Account, user: CloudUser) -> Observation:
    if not account.upn or "@" not in account.upn:
        return failed("the account has no userPrincipalName", account.name)
    if account.upn.casefold() == user.upn.casefold():
        return passed(f"{user.upn} on both sides", account.name)
    suffix = account.upn.rpartition("@")[2].casefold()
    seen = f"{account.upn} in the directory, {user.upn} in the cloud"
    if user.upn.casefold().endswith(_FALLBACK_DOMAIN) or suffix.endswith(_FALLBACK_SUFFIX):
        return failed(f"{seen}: {suffix} is not a verified domain", account.name)
    return warning(f"{seen}: {suffix} must be a verified domain all the same", account.name)


CHECKS = (
    Check(
        "cloud-answers",
        Section.SYNCHRONIZATION,
        "The place where keys are registered answers and knows us",
        "Without it no new key is heard of.",
        "keytrust cloud check; correct [cloud] in the configuration",
        reachable,
    ),
    Check(
        "cloud-permissions",
        Section.SYNCHRONIZATION,
        "Keys can be read there",
        "The permission is granted to the application by an administrator of the tenant.",
        "keytrust cloud check names each permission and where to grant it",
        permissions,
    ),
    Check(
        "source-anchor",
        Section.SYNCHRONIZATION,
        "A sample of users has the same source anchor and SID on both sides",
        "Keys are only written to the account that both of them name.",
        "Correct mS-DS-ConsistencyGuid, or the synchronisation that made the cloud's user; keytrust explain ACCOUNT",
        anchors,
    ),
    Check(
        "upn-domain",
        Section.SYNCHRONIZATION,
        "A sample of users has the same name on both sides, in a verified domain",
        "A device asks the domain for the name that the cloud gave it; a domain that cannot be verified is not "
        "supported.",
        "Verify the domain in the tenant, or give the users a userPrincipalName of a verified one",
        suffixes,
    ),
)
