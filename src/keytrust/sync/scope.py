"""Which accounts keytrust works on: all, or those of groups, units and a filter, for a rollout in phases."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from keytrust.directory.domain import Domain
from keytrust.directory.membership import Membership
from keytrust.directory.session import Session


@dataclass(frozen=True, slots=True)
class Scope:
    """Which accounts are worked on.

    Attributes:
        members: Their objectGUIDs; None for all accounts.
        remove_on_leave: Whether keys that keytrust wrote are removed from accounts that are not (any more) in scope.
    """

    members: frozenset[bytes] | None = None
    remove_on_leave: bool = False

    def includes(self, guid: bytes) -> bool:
        """Whether the account is in scope."""
        return self.members is None or guid in self.members


EVERYBODY = Scope()


def scope_of(domain: Domain, among: Collection[bytes] | None = None) -> Scope:
    """The scope that is configured for a domain, as its directory has it now.

    Args:
        domain: The domain, open.
        among: The accounts that matter; left out, all do.

    Raises:
        DirectoryError: it could not be read completely, or names a group or unit that does not exist.
    """
    settings = domain.settings.scope
    if settings.everybody:
        return EVERYBODY

    def members(session: Session) -> frozenset[bytes]:
        membership = Membership(session, domain.controller.domain, settings)
        groups = membership.groups()
        return frozenset(membership.everybody(groups) if among is None else membership.among(groups, among))

    return Scope(domain.ask(members), settings.remove_on_leave)
