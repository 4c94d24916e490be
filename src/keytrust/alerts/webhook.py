"""Alerts by HTTP POST, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from pathlib import Path

import httpx

from keytrust.alerts.alert import Alert
from keytrust.cloud.tls import tls_context
from keytrust.errors import ConfigError

SIGNATURE = "Keytrust-Signature"
_SECONDS = 10.0
_SHORTEST_SECRET = 16


def read_secret(path: Path) -> bytes:
    """The secret in a file.

    Raises:
        ConfigError: it cannot be read, or is too short to be one.
    """
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(
            f"The secret {path} cannot be read: {error.strerror}.", not_done="No alert is sent."
        ) from error
    if len(secret) < _SHORTEST_SECRET:
        raise ConfigError(
            f"The secret in {path} is shorter than {_SHORTEST_SECRET} characters.",
            not_done="No alert is sent.",
            remedy="Make one: openssl rand -hex 32.",
        )
    return secret


def signature(secret: bytes, at: int, body: bytes) -> str:
    """The value of the header: HMAC-SHA-256 over the time, a full stop and the body."""
    digest = hmac.new(secret, str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Webhook:
    """Posts alerts to one URL.

    Args:
        url: Where.
        secret: What alerts are signed with.
        instance: What this instance is called.
    """

    name = "webhook"

    def __init__(self, url: str, secret: bytes, instance: str) -> None:
        self._url = url
        self._secret = secret
        self._instance = instance
        self._client = httpx.Client(verify=tls_context(None), timeout=_SECONDS, follow_redirects=False, trust_env=False)

    def deliver(self, alert: Alert) -> str:
        """Deliver one alert; returns why it was not taken, empty when it was."""
        body = json.dumps(alert.fields(self._instance), default=str, sort_keys=True).encode()
        at = int(time.time())
        headers = {"Content-Type": "application/json", SIGNATURE: signature(self._secret, at, body)}
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                return "" if answer.is_success else f"it answered {answer.status_code}"
        except httpx.HTTPError as error:
            return type(error).__name__

    def close(self) -> None:
        """End the connection."""
        self._client.close()
