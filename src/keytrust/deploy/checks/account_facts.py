"""Facts about the connector account, the users and both directories' view of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keytrust.cloud.probe import Way
from keytrust.cloud.source import CloudUser
from keytrust.directory.account import Account


@dataclass(frozen=True, slots=True)
class ConnectorFacts:
    """The account that keytrust signs in as.

    Attributes:
        name: sAMAccountName.
        dn: Its distinguished name.
        control: userAccountControl; None when it may not be read.
        managed: A group managed service account, or a computer: changes its password by itself.
        password_set: When its password was last changed; None when never or when that may not be seen.
        password_expires: When its password expires; None when it does not.
        account_expires: When the account expires; None when it does not.
        protected: adminCount is 1.
        delegates_to: Services to which it may delegate (msDS-AllowedToDelegateTo).
        groups: SIDs of all groups in its token.
    """

    name: str
    dn: str
    control: int | None
    managed: bool
    password_set: datetime | None
    password_expires: datetime | None
    account_expires: datetime | None
    protected: bool
    delegates_to: tuple[str, ...]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class RightsFacts:
    """What the connector account may do, by trying: a sentence for each thing.

    Attributes:
        tried: On how many users it was tried.
        lacking: What it may not do and should.
        surplus: What it may do and should not.
        unknown: What could not be tried.
    """

    tried: int
    lacking: tuple[str, ...]
    surplus: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserFacts:
    """The users of the domain.

    Attributes:
        enrolled: Enabled users with a key credential.
        enabled: Enabled users.
        complete: Whether both were counted to the end; else there are more.
        sample: Some accounts, those with keys first.
        pilot_groups: Groups whose name starts with "Windows Hello for Business", each with whether it has members.
    """

    enrolled: int
    enabled: int
    complete: bool
    sample: tuple[Account, ...]
    pilot_groups: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class RegistrationPoint:
    """The service connection point of device registration.

    Attributes:
        dn: Where it is.
        keywords: Its keywords; None when there is no such object.
    """

    dn: str
    keywords: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class CloudFacts:
    """The place where keys are registered.

    Attributes:
        name: Where that is.
        ways: The ways to read it, each with whether it works; empty for a file, which is read or not.
        tenant: The tenant that the configuration names.
    """

    name: str
    ways: tuple[Way, ...]
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Pairing:
    """An account of the sample and what the cloud has of it.

    Attributes:
        account: The account.
        users: The cloud's users that claim to be it, by source anchor, SID or name.
    """

    account: Account
    users: tuple[CloudUser, ...]
