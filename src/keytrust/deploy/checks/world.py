"""Everything that the checks judge, together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keytrust.deploy.checks.account_facts import (
    CloudFacts,
    ConnectorFacts,
    Pairing,
    RegistrationPoint,
    RightsFacts,
    UserFacts,
)
from keytrust.deploy.checks.facts import ControllerFacts, DomainFacts, Unread
from keytrust.deploy.checks.pki_facts import Crl, PkiFacts
from keytrust.deploy.checks.policy_facts import PolicyFacts

NOT_READ = Unread("it was not read")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read of one domain, once.

    Attributes:
        now: When, by this machine's clock.
        domain: The domain.
        controllers: Its domain controllers, or those that the configuration names when the directory cannot be asked.
        complete: None when ``controllers`` are all that there are; else why not.
        pki: The public key services in the configuration.
        crls: Certificate revocation lists, by the URL in the domain controllers' certificates.
        records: Hosts that DNS names for each service (``_ldap._tcp.dc._msdcs``), in lower case.
        connector: The account that keytrust uses.
        rights: What that account may do.
        overgrant: Whether Enterprise Key Admins have full control of the domain.
        users: The domain's users.
        registration: The service connection point of device registration.
        cloud: The place where keys are registered.
        policies: The group policies.
        pairings: The sample of accounts with the cloud's users for each.
    """

    now: datetime
    domain: DomainFacts | Unread
    controllers: tuple[ControllerFacts, ...]
    complete: Unread | None = None
    pki: PkiFacts | Unread = NOT_READ
    crls: Mapping[str, Crl | Unread] = field(default_factory=dict)
    records: Mapping[str, frozenset[str] | Unread] = field(default_factory=dict)
    connector: ConnectorFacts | Unread = NOT_READ
    rights: RightsFacts | Unread = NOT_READ
    overgrant: bool | Unread = NOT_READ
    users: UserFacts | Unread = NOT_READ
    registration: RegistrationPoint | Unread = NOT_READ
    cloud: CloudFacts | Unread = NOT_READ
    policies: PolicyFacts | Unread = NOT_READ
    pairings: tuple[Pairing, ...] | Unread = NOT_READ
