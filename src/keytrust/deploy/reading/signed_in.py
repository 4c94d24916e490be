"""Everything that one signed-in session reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from keytrust.deploy.checks.account_facts import ConnectorFacts, RegistrationPoint, RightsFacts, UserFacts
from keytrust.deploy.checks.facts import DomainFacts, Listing, Unread
from keytrust.deploy.checks.pki_facts import PkiFacts
from keytrust.deploy.checks.policy_facts import PolicyFacts
from keytrust.deploy.reading.accounts import read_connector, read_registration, read_users
from keytrust.deploy.reading.directory import read_domain, read_listings
from keytrust.deploy.reading.pace import Pace
from keytrust.deploy.reading.pki import read_pki
from keytrust.deploy.reading.policies import read_policies
from keytrust.deploy.reading.rights import read_overgrant, read_rights
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import KeytrustError

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """What one signed-in session reads.

    Attributes:
        realm: The domain's Kerberos realm; empty when signing in failed.
        domain: The domain.
        listings: Its domain controllers by DNS name.
        pki: The public key services.
        connector: The account that is signed in.
        rights: What it may do.
        overgrant: Whether Enterprise Key Admins have full control of the domain.
        users: The domain's users.
        registration: The service connection point.
        policies: The group policies.
    """

    realm: str
    domain: DomainFacts | Unread
    listings: Mapping[str, Listing] | Unread
    pki: PkiFacts | Unread
    connector: ConnectorFacts | Unread
    rights: RightsFacts | Unread
    overgrant: bool | Unread
    users: UserFacts | Unread
    registration: RegistrationPoint | Unread
    policies: PolicyFacts | Unread


def read_directory(settings: DirectorySettings, pace: Pace) -> DirectoryFacts:
    """Sign in and read what the directory says; of what fails, why. One part that may not be read hides no other."""
    bounded = settings.model_copy(update={"timeout": min(settings.timeout, pace.answer)})
    try:
        with Domain(bounded) as domain, domain.session() as session:
            own = domain.controller
            users = _part(lambda: read_users(session, own.domain, pace.answer / 2))
            return DirectoryFacts(
                domain.name.upper(),
                _part(lambda: read_domain(session, own, domain.name)),
                _part(lambda: read_listings(session, own)),
                _part(lambda: read_pki(session, own.configuration)),
                _part(lambda: read_connector(session, own.domain)),
                _part(lambda: read_rights(domain, session, users, pace.answer / 2)),
                _part(lambda: read_overgrant(domain)),
                users,
                _part(lambda: read_registration(session, own.configuration)),
                _part(lambda: read_policies(session, own, bounded, pace.answer)),
            )
    except KeytrustError as error:
        why = _unread(error)
        return DirectoryFacts("", why, why, why, why, why, why, why, why, why)


def _part(read: Callable[[], Part]) -> Part | Unread:
    try:
        return read()
    except KeytrustError as error:
        return _unread(error)


def _unread(error: KeytrustError) -> Unread:
    return Unread(f"the directory could not be read: {error.message}")
