"""Following who joins and leaves the scope, so that a member of the group gets the key without waiting for a full read.

The worker asks the directory about each account it plans: what is here only puts accounts on the worklist.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ldap
from sqlalchemy import select

from keytrust.directory.domain import Domain
from keytrust.directory.membership import Group, Membership
from keytrust.directory.session import Session
from keytrust.service.duty import Duty
from keytrust.service.link import Link
from keytrust.service.watch import Position
from keytrust.service.worklist import Priority
from keytrust.store.mirror_tables import account_values

POLL_SECONDS = 2.0
"""How often the groups are asked whether they changed: one small search for each level of nesting."""
RESOLVE_SECONDS = 300.0
"""How often members are read anyway: whatever shows on no group and no unit."""
_UNITS = "(|(objectClass=organizationalUnit)(objectClass=container))"


@dataclass(frozen=True, slots=True)
class _Known:
    groups: Mapping[str, Group]
    members: frozenset[bytes]
    at: float
    position: Position | None
    """Where organizational units are part of the scope: what happens to them is asked for from there on."""


class ScopeWatch:
    """Watches one domain's scope.

    Args:
        duty: The domain.
        link: The directory; this watch's own.
        wake: Called when accounts were put on the worklist.
    """

    def __init__(self, duty: Duty, link: Link, wake: Callable[[], None]) -> None:
        self._duty = duty
        self._link = link
        self._wake = wake
        self._known: _Known | None = None

    @property
    def needed(self) -> bool:
        """Whether there is a scope at all."""
        return not self._link.settings.scope.everybody

    def poll(self) -> None:
        """Look once.

        Raises:
            ScopeError: the scope names what does not exist.
            DirectoryError: the directory cannot be asked.
            StoreError: the store failed, or somebody else is the writer now.
        """
        try:
            found = self._look(self._link.domain)
        except Exception:
            self._link.drop()
            raise
        if found is None:
            return
        before, self._known = self._known, found
        moved = self._left_over(found) if before is None else before.members ^ found.members
        if not moved:
            return
        try:
            with self._duty.writing() as connection:
                self._duty.worklist.add(connection, moved, time.time(), Priority.CHANGE)
        except Exception:
            self._known = before  # else these would be forgotten
            raise
        self._wake()

    def _look(self, domain: Domain) -> _Known | None:
        """The members now; None when nothing says that they are others than before."""

        def read(session: Session) -> _Known | None:
            membership = Membership(session, domain.controller.domain, domain.settings.scope)
            # Before the members: what moves while they are read is found the next time.
            position = Position.of(session) if domain.settings.scope.ous else None
            groups, now, known = membership.groups(), time.monotonic(), self._known
            if (
                known is not None
                and known.groups == groups
                and now - known.at < RESOLVE_SECONDS
                and not _units_changed(session, domain.controller.domain, known.position, position)
            ):
                return None
            return _Known(groups, frozenset(membership.everybody(groups)), now, position)

        return domain.ask(read)

    def _left_over(self, found: _Known) -> frozenset[bytes]:
        """At first: who holds a key and is not in scope. They may have left while nobody looked."""
        if not self._link.settings.scope.remove_on_leave:
            return frozenset()
        with self._duty.reading() as connection:
            query = select(account_values.c.guid).where(account_values.c.mirror == self._duty.mirror.id).distinct()
            return frozenset(connection.execute(query).scalars()) - found.members


def _units_changed(session: Session, domain_dn: str, before: Position | None, now: Position | None) -> bool:
    """Whether something that accounts are in is another than it was: who is in a unit moves with it, unchanged."""
    if before is None or now is None or now == before:
        return False
    if not now.follows(before):
        return True
    changed = session.search(domain_dn, ldap.SCOPE_SUBTREE, f"(&{_UNITS}{before.later})", ("objectGUID",))
    return bool(list(changed))
