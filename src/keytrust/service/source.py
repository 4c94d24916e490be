"""What the service needs of a key source: a complete read, and what has changed since."""

from __future__ import annotations

from typing import Protocol

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
