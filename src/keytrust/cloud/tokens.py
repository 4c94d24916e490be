"""Access tokens for the cloud. azure-identity's credentials fit the same protocol."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from keytrust.errors import CloudError

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, section 2.1
_MAX_TOKEN = 64 * 1024
_EARLY = 60.0


class TokenProvider(Protocol):
    """Hands out bearer tokens."""

    def token(self) -> str:
        """A token believed to be valid now.

        Raises:
            CloudError: none can be had.
        """

    def renew(self) -> str:
        """A token fetched anew because the server refused the last one. Raises ``CloudError`` as ``token``."""


class TokenFile:
    """A bearer token kept in a file by something else; read again when it expires or is refused.

    Args:
        path: A file holding one token and nothing else.
        now: The clock, seconds since 1970.
    """

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._token: str | None = None
        self._expires: float | None = None

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"

    def token(self) -> str:
        """See ``TokenProvider``."""
        if self._token is None or (self._expires is not None and self._now() >= self._expires - _EARLY):
            return self.renew()
        return self._token

    def renew(self) -> str:
        """See ``TokenProvider``."""
        remedy = "put a current access token, and nothing else, into that file"
        try:
            with self._path.open("rb") as file:
                content = file.read(_MAX_TOKEN + 1)
        except OSError as error:
            raise CloudError(
                f"the access token file {self._path} cannot be read: {error.strerror}",
                not_done="the cloud was not read",
                remedy=remedy,
            ) from error
        try:
            token = content.decode("ascii").strip()
        except UnicodeDecodeError:
            token = ""
        if len(content) > _MAX_TOKEN or not _TOKEN.fullmatch(token):
            raise CloudError(
                f"the access token file {self._path} does not hold a bearer token",
                not_done="the cloud was not read",
                remedy=remedy,
            )
        self._token, self._expires = token, _expiry(token)
        return token


def _expiry(token: str) -> float | None:
    """The ``exp`` of a JSON web token, unverified (it only says when to look again); None for any other token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    expires = claims.get("exp") if isinstance(claims, dict) else None
    return float(expires) if isinstance(expires, int | float) and not isinstance(expires, bool) else None
