"""Where notifications may go, and posting them there.

A subscription makes this service send requests on behalf of a client. They go only to the hosts that the operator
named, by TLS or on this machine, to a receiver that has agreed, without following redirects, and nothing of the answer
is shown to anybody.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from keytrust.cloud.origin import is_loopback
from keytrust.cloud.tls import tls_context

_MAX_URL = 2048
_MAX_ANSWER = 8192
_SECONDS = 10.0


def refusal(url: object, hosts: Iterable[str]) -> str | None:
    """Why notifications may not be sent to ``url``; None if they may.

    Args:
        url: What a client asked for. Untrusted.
        hosts: ``RegistrySettings.notification_hosts``.
    """
    if not isinstance(url, str) or not 0 < len(url) <= _MAX_URL or not url.isascii() or not url.isprintable():
        return "is not a URL"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return "is not a URL"
    if not host or parts.username is not None or parts.fragment or " " in url or "\\" in url:
        return "is not a plain URL"
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        return "is not https (http is for loopback addresses)"
    if not any(_matches(host.lower().rstrip("."), pattern.lower()) for pattern in hosts):
        return "leads to a host that is not among the registry's notification_hosts"
    return None


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    try:
        address, network = ipaddress.ip_address(host), ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return host == pattern
    return address in network


class Poster:
    """Posts to notification targets. Safe to use from many threads.

    Args:
        hosts: ``RegistrySettings.notification_hosts``; looked at again before every request.
        ca_file: The only certificate authorities to trust; None for the system's.
    """

    def __init__(self, hosts: Iterable[str], ca_file: Path | None) -> None:
        self._hosts = tuple(hosts)
        self._ca_file = ca_file

    @cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(
            verify=tls_context(self._ca_file),
            timeout=httpx.Timeout(_SECONDS, connect=5.0),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "keytrust-registry", "Accept": "*/*"},
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
        )

    def close(self) -> None:
        """Close every connection."""
        if "_client" in self.__dict__:
            self._client.close()

    def validate(self, url: str) -> bool:
        """Whether the receiver agrees: it has to give back, as plain text, a token that it cannot know."""
        token = secrets.token_urlsafe(32)
        try:
            target = httpx.URL(url).copy_merge_params({"validationToken": token})
            status, content_type, body = self._post(target, b"", "text/plain; charset=utf-8")
        except httpx.HTTPError:
            return False
        plain = content_type.partition(";")[0].strip().lower() == "text/plain"
        return status == httpx.codes.OK and plain and hmac.compare_digest(body.strip(), token.encode())

    def deliver(self, url: str, payload: bytes) -> str | None:
        """Post notifications; None if they were taken, else what went wrong, for the log."""
        if (why := refusal(url, self._hosts)) is not None:
            return why  # the operator's list may have become shorter
        try:
            status, _, _ = self._post(httpx.URL(url), payload, "application/json")
        except httpx.HTTPError as error:
            return type(error).__name__
        return None if 200 <= status < 300 else f"status {status}"

    def _post(self, url: httpx.URL, content: bytes, content_type: str) -> tuple[int, str, bytes]:
        deadline = time.monotonic() + _SECONDS
        body = b""
        headers = {"Content-Type": content_type}
        with self._client.stream("POST", url, content=content, headers=headers) as answer:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _MAX_ANSWER or time.monotonic() > deadline:
                    raise httpx.ReadError("the answer is too long")
        return answer.status_code, answer.headers.get("content-type", ""), body
