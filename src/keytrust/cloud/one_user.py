"""Asking about one user: how they are named, and what a key source that can be asked offers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from keytrust.cloud.source import CloudUser
from keytrust.errors import CloudError


@dataclass(frozen=True, slots=True, kw_only=True)
class UserName:
    """One user, named in one of three ways. UPNs are compared without case.

    Attributes:
        id: The cloud's object id.
        upn: ``userPrincipalName``.
        source_anchor: The decoded ``onPremisesImmutableId``.

    Raises:
        ValueError: not exactly one of them is given.
    """

    id: str | None = None
    upn: str | None = None
    source_anchor: bytes | None = None

    def __post_init__(self) -> None:
        if sum(bool(value) for value in (self.id, self.upn, self.source_anchor)) != 1:
            raise ValueError("a user is named by exactly one of id, upn and source_anchor")

    def __str__(self) -> str:
        if self.source_anchor:
            return f"source anchor {self.source_anchor.hex()}"
        return f"id {self.id}" if self.id else f"user principal name {self.upn}"

    def fits(self, user: CloudUser) -> bool:
        """Whether it is this user's name."""
        if self.source_anchor:
            return user.source_anchor == self.source_anchor
        mine, theirs = (self.id, user.id) if self.id else (self.upn or "", user.upn)
        return mine.casefold() == theirs.casefold()


@runtime_checkable
class UserSource(Protocol):
    """A key source that can be asked about one user. Optional: ``isinstance(source, UserSource)`` tells."""

    def user(self, name: UserName) -> CloudUser | None:
        """The user with this name, as registered now; None if there is none.

        That a user is not found, or is found without a key, is an answer about this moment for a person to read:
        nothing may be removed on the strength of it.

        Raises:
            CloudError: it cannot be told, or several users have this name.
        """


def one_of(users: Iterable[CloudUser], name: UserName, where: str) -> CloudUser | None:
    """The one user with this name; None if there is none.

    Raises:
        CloudError: several have it.
    """
    found = [user for user in users if name.fits(user)]
    if len(found) > 1:
        raise CloudError(
            f"{where} has {len(found)} users with the {name}",
            not_done="none of them was taken for the one that was meant",
            remedy="name the user by id, and find out why there is more than one",
            detail=" ".join(user.id for user in found),
        )
    return found[0] if found else None
