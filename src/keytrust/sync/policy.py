"""What the operator allows: the limits and named exceptions under which a plan is made. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Allow(StrEnum):
    """Things refused by default that the operator may allow by name (rules 8 and 9 of the design)."""

    ROCA_WEAK = "roca-weak"
    """Keys whose private half can be computed from the public one (CVE-2017-15361)."""
    WEAK_RSA = "weak-rsa"
    """RSA below 2048 bits, bad exponents and moduli that are not of an honest key."""
    SHARED_KEY = "shared-key"
    """A key that is already on, or registered to, another account."""
    PRIVILEGED = "privileged"
    """Any account with adminCount=1; ``privileged_accounts`` names single ones, which is better."""
    UNCORROBORATED = "uncorroborated"
    """Cloud users without onPremisesSecurityIdentifier, matched by source anchor alone."""


class Policy(BaseModel):
    """The ``[policy]`` table of ``keytrust.toml``. The defaults are the safe ones.

    Attributes:
        adopt: Treat every cloud-origin key (usage NGC, source Azure AD) as ours to remove, such as those that Entra
            Connect wrote. Else only what the journal shows that we wrote is ever removed.
        removal_limit: Most removals in one run.
        removal_share: Most removals in one run as a share of the cloud-origin keys in the domain. The lower of the
            two limits counts; one removal is always allowed.
        removal_limit_per_day: Most removals within 24 hours by ``keytrust run``.
        removal_share_per_day: The same as a share. The lower of the two counts; five are always allowed.
        allow: Named exceptions.
        privileged_accounts: Accounts with adminCount=1 that may be given keys: sAMAccountName, UPN, SID or DN.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    adopt: bool = False
    removal_limit: int = Field(default=500, ge=1)
    removal_share: float = Field(default=0.05, gt=0, le=1)
    removal_limit_per_day: int = Field(default=1000, ge=1)
    removal_share_per_day: float = Field(default=0.1, gt=0, le=1)
    allow: frozenset[Allow] = frozenset()
    privileged_accounts: frozenset[Name] = frozenset()

    def removals_allowed(self, population: int, raised_to: int | None = None) -> int:
        """How many removals one run may make in a domain that holds ``population`` cloud-origin keys."""
        if raised_to is not None:
            return raised_to
        return max(1, min(self.removal_limit, int(population * self.removal_share)))

    def removals_allowed_per_day(self, population: int) -> int:
        """How many removals ``keytrust run`` may make within 24 hours in such a domain."""
        return max(5, min(self.removal_limit_per_day, int(population * self.removal_share_per_day)))

    def lists_privileged(self, *names: str | None) -> bool:
        """Whether a privileged account, given by all its names, may be given keys."""
        if Allow.PRIVILEGED in self.allow:
            return True
        listed = {name.casefold() for name in self.privileged_accounts}
        return any(name is not None and name.casefold() in listed for name in names)
