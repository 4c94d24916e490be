"""What the service needs of a key source: a complete read, and what has changed since."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Protocol, runtime_checkable

from keytrust.cloud.delta import Changes
from keytrust.cloud.source import KeySource


class ChangingSource(KeySource, Protocol):
    """A key source that tells changes."""

    def latest(self) -> str:
        """A cursor that stands at this moment.

        Raises:
            CloudError: it could not be had.
        """

    def changes(self, cursor: str | None = None) -> Changes:
        """Who has changed since the cursor.

        Raises:
            CloudError: the round did not complete; the cursor stays good.
        """


class Audits(Protocol):
    """An audit trail of registered and lost keys."""

    def changed(self) -> Set[str]:
        """Ids of users whom entries are about that have not been ``taken``.

        Raises:
            CloudError: it could not be asked; nothing is lost.
        """

    def taken(self) -> None:
        """What ``changed`` said the last time need not be said again."""


@runtime_checkable
class AuditedSource(Protocol):
    """A key source whose audit trail tells of keys where its changes do not."""

    def key_audits(self) -> Audits:
        """The trail, from about an hour ago."""

    def now(self, ids: Collection[str]) -> Changes:
        """These users as they are now; the cursor means nothing.

        Raises:
            CloudError: it could not be asked.
        """
