"""The one exception that the key credential format raises."""

from __future__ import annotations

from keytrust.errors import KeytrustError


class KeyCredentialError(KeytrustError, ValueError):
    """A key credential, its attribute text, its key material or one of its times cannot be read or built.

    Reading raises nothing else, whatever the input. A value that can be kept losslessly but is odd does not raise: its
    oddities are what ``KeyCredential.problems()`` lists.
    """
