"""Public keys of the trusted issuers, as JSON Web Key Sets in files or at URLs."""

from __future__ import annotations

import threading
import time

import httpx
import jwt

from keytrust.cloud import strict_json
from keytrust.registry.settings import TrustedIssuer

_MAX_KEY_SET = 256 * 1024
_RELOAD_SECONDS = 5.0
_MIN_RSA_BITS = 2048


class KeySetUnavailable(Exception):  # noqa: N818 - a state that passes, not an error of the caller
    """The issuer's keys cannot be had at the moment."""


class KeySet:
    """One issuer's signing keys, loaded when needed, and again when a token names a key that is not among them."""

    def __init__(self, issuer: TrustedIssuer) -> None:
        self._issuer = issuer
        self._keys: dict[str, jwt.PyJWK] = {}
        self._tried: float | None = None
        self._failure: str | None = "not loaded yet"
        self._lock = threading.Lock()

    def find(self, kid: str) -> jwt.PyJWK | None:
        """The key with this id; None if the issuer has none.

        Raises:
            KeySetUnavailable: the key set has never been loaded and cannot be loaded now.
        """
        key = self._keys.get(kid)
        if key is not None:
            return key
        with self._lock:
            # Unknown ids are cheap to send; they must not make us fetch the key set every time, nor wait for it.
            if self._tried is None or time.monotonic() - self._tried >= _RELOAD_SECONDS:
                try:
                    self._keys, self._failure = self._load(), None
                except (OSError, ValueError, httpx.HTTPError) as error:
                    self._failure = str(error)  # the keys of before, if there are any, stay in force
                self._tried = time.monotonic()
            if self._failure is not None and not self._keys:
                raise KeySetUnavailable(self._failure)
        return self._keys.get(kid)

    def _load(self) -> dict[str, jwt.PyJWK]:
        content = strict_json.loads(self._fetch())
        entries = content.get("keys") if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise ValueError("it is not a JSON Web Key Set")  # noqa: TRY004 - its content is at fault
        keys = {}
        for entry in entries:
            try:
                key = jwt.PyJWK(entry)
            except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
                continue  # a set may hold keys of other kinds and uses
            if key.key_id and key.algorithm_name in {"RS256", "ES256"} and _is_strong(key):
                keys[key.key_id] = key
        return keys

    def _fetch(self) -> bytes:
        if self._issuer.jwks_file is not None:
            with self._issuer.jwks_file.open("rb") as file:
                data = file.read(_MAX_KEY_SET + 1)
        else:
            data = b""
            with httpx.stream("GET", self._issuer.jwks_url or "", timeout=10.0) as response:
                response.raise_for_status()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > _MAX_KEY_SET:
                        break
        if len(data) > _MAX_KEY_SET:
            raise ValueError("it is too large")
        return data


def _is_strong(key: jwt.PyJWK) -> bool:
    return key.algorithm_name != "RS256" or getattr(key.key, "key_size", 0) >= _MIN_RSA_BITS
