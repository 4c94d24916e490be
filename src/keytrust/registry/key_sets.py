"""Public keys of the trusted issuers, as JSON Web Key Sets in files or at URLs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable

import httpx
import jwt

from keytrust.cloud import strict_json
from keytrust.cloud.tls import tls_context
from keytrust.errors import KeytrustError
from keytrust.registry.settings import TrustedIssuer, is_protected

_MAX_KEY_SET = 256 * 1024
_RELOAD_SECONDS = 5.0
_FRESH_SECONDS = 3600.0
"""How long keys are used before they are looked up again: one that was withdrawn must not be good for ever."""
_STALE_SECONDS = 86_400.0
"""How long they are used when that fails."""
_MIN_RSA_BITS = 2048


class KeySetUnavailable(Exception):  # noqa: N818 - a state that passes, not an error of the caller
    """The issuer's keys cannot be had at the moment."""


class KeySet:
    """One issuer's signing keys, loaded when needed, and again when a token names a key that is not among them."""

    def __init__(self, issuer: TrustedIssuer) -> None:
        self._issuer = issuer
        self._keys: dict[str, jwt.PyJWK] = {}
        self._tried = self._loaded = -math.inf
        self._failure = "not loaded yet"
        self._lock = threading.Lock()

    def find(self, kid: str) -> jwt.PyJWK | None:
        """The key with this id; None if the issuer has none.

        Raises:
            KeySetUnavailable: the keys have never been loaded, or not for a day, and cannot be loaded now.
        """
        age = time.monotonic() - self._loaded
        key = self._keys.get(kid)
        if key is not None and age < _FRESH_SECONDS:
            return key
        # While one request looks the keys up, others go on with the known ones; only for an unknown key they wait.
        if self._lock.acquire(blocking=key is None or age >= _STALE_SECONDS):
            try:
                self._reload_if_due()
            finally:
                self._lock.release()
        if time.monotonic() - self._loaded >= _STALE_SECONDS:
            raise KeySetUnavailable(self._failure)
        return self._keys.get(kid)

    def _reload_if_due(self) -> None:
        # Unknown ids are cheap to send; they must not make us fetch the key set every time.
        now = time.monotonic()
        if now - self._tried < _RELOAD_SECONDS:
            return
        self._tried = now
        try:
            self._keys, self._loaded = self._load(), now
        except (OSError, ValueError, httpx.HTTPError, KeytrustError) as error:
            self._failure = str(error)  # the keys of before, if there are any, stay in force

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
        issuer = self._issuer
        if issuer.jwks_file is not None:
            with issuer.jwks_file.open("rb") as file:
                return _bounded([file.read(_MAX_KEY_SET + 1)])
        with httpx.Client(verify=tls_context(issuer.ca_file), timeout=10.0, trust_env=False) as client:
            return _get(client, issuer.jwks_url or self._discover(client, issuer.discovery_url or ""))

    def _discover(self, client: httpx.Client, url: str) -> str:
        """Where the keys are (OpenID Connect Discovery 1.0, 4.3: the document must name this very issuer)."""
        document = strict_json.loads(_get(client, url))
        if not isinstance(document, dict) or document.get("issuer") != self._issuer.issuer:
            raise ValueError("the discovery document is not this issuer's")
        keys = document.get("jwks_uri")
        if not isinstance(keys, str) or not is_protected(keys):
            raise ValueError("the discovery document names no protected jwks_uri")
        return keys


def _get(client: httpx.Client, url: str) -> bytes:
    with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
        response.raise_for_status()
        return _bounded(response.iter_bytes())


def _bounded(chunks: Iterable[bytes]) -> bytes:
    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) > _MAX_KEY_SET:
            raise ValueError("it is too large")
    return data


def _is_strong(key: jwt.PyJWK) -> bool:
    return key.algorithm_name != "RS256" or getattr(key.key, "key_size", 0) >= _MIN_RSA_BITS
