"""What can keep a set-up step from being carried out."""

from __future__ import annotations

from keytrust.errors import KeytrustError


class SetupError(KeytrustError):
    """A set-up step cannot be planned, carried out or undone."""
