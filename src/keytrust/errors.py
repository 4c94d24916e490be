"""The one exception hierarchy.

An error is part of the interface: it says what happened (and to which account and server), what was not done because of
it, and what to do next. The command line prints exactly these three and keeps ``detail`` for ``-v``.
"""

from __future__ import annotations


class KeytrustError(Exception):
    """Base of every error that keytrust raises on purpose.

    Args:
        message: What happened, one plain sentence, naming the account, server or file.
        not_done: What was left undone because of it ("nothing was written"); empty when obvious.
        remedy: What the reader should do next; empty only when nothing can be done.
        detail: The underlying diagnosis (a server's own words), shown with ``-v``. Never a secret.
    """

    def __init__(self, message: str, *, not_done: str = "", remedy: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.not_done = not_done
        self.remedy = remedy
        self.detail = detail

    def __str__(self) -> str:
        return self.message

    @property
    def told(self) -> str:
        """What happened and what to do, as sentences on one line: for a log, which shows nothing else of it."""
        parts = (self.message.strip(), self.remedy.strip()[:1].upper() + self.remedy.strip()[1:])
        return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)


class ConfigError(KeytrustError):
    """The configuration is missing, unreadable or contradicts itself."""


class DirectoryError(KeytrustError):
    """Active Directory could not be reached, refused us, or answered something impossible."""


class CloudError(KeytrustError):
    """The place where keys are registered could not be read completely."""


class StoreError(KeytrustError):
    """The journal cannot be read or written; nothing may be changed without it."""


class PlanError(KeytrustError):
    """A saved plan is unreadable, belongs to another directory, or its world has moved."""


class SigninError(KeytrustError):
    """The sign-in could not even be attempted (not: it was attempted and refused)."""


class LabError(KeytrustError):
    """The lab domain controller could not be built, started or stopped."""


class RegistryError(KeytrustError):
    """The key registration service cannot start or cannot keep its promises."""


class WebError(KeytrustError):
    """Health, metrics and status cannot be served."""
