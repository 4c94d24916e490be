"""What can become of a change."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a change."""

    CONFIRMED = "confirmed"
    """Done, and read back from a domain controller."""
    UNCONFIRMED = "unconfirmed"
    """The domain controller said that it was done, but it was not seen when read back."""
    FAILED = "failed"
    """Refused by the domain controller; nothing changed."""
    NOT_SENT = "not-sent"
    """The run ended before it was sent; nothing changed."""
