"""Connections to one service: for one read, or kept from one read to the next."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from keytrust.cloud.limits import Limits
from keytrust.cloud.origin import is_loopback
from keytrust.cloud.tls import tls_context

KEPT_SECONDS = 300.0
"""After so long kept connections are made anew: the service's name may lead to other machines by then."""

_IDLE_SECONDS = 20.0
"""An idle connection is given up after so long: sooner than by most services, and later than the next poll."""


class Connections:
    """Gives out clients; safe to use from many threads.

    Each client is closed with its block. Within ``kept`` one is shared instead, until it is too old or the file of
    authorities is another: whoever polls every two seconds need not shake hands each time.

    Args:
        root: The service root, as ``root_url`` gives it.
        ca_file: The only certificate authorities to trust; None for the system's.
        limits: For their times.
        now: Seconds, of a clock that only goes forward.
    """

    def __init__(
        self, root: httpx.URL, *, ca_file: Path | None, limits: Limits, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = root
        self._ca_file = ca_file if root.scheme == "https" else None
        self._limits = limits
        self._now = now
        self._lock = threading.Lock()
        self._keep = False
        self._shared: _Shared | None = None

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A client for this block.

        Raises:
            ConfigError: the file of authorities cannot be used.
        """
        shared = self._taken()
        try:
            yield shared.client
        finally:
            with self._lock:
                shared.users -= 1
                self._close_unless_needed(shared)

    @property
    def keeping(self) -> bool:
        """Whether a client's connections may be older than its block."""
        return self._keep

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep connections open until the end of the block."""
        self._keep = True
        try:
            yield
        finally:
            with self._lock:
                self._keep = False
                self._retire()

    def _taken(self) -> _Shared:
        context = tls_context(self._ca_file)
        with self._lock:
            shared = self._shared
            if shared is None or shared.context is not context or self._now() - shared.made > KEPT_SECONDS:
                self._retire()
                shared = _Shared(self._made(context), context, self._now())
                self._shared = shared if self._keep else None
            shared.users += 1
            return shared

    def _retire(self) -> None:
        old, self._shared = self._shared, None
        if old is not None:
            self._close_unless_needed(old)

    def _close_unless_needed(self, shared: _Shared) -> None:
        if shared is not self._shared and not shared.users:
            shared.client.close()

    def _made(self, context: ssl.SSLContext) -> httpx.Client:
        limits = self._limits
        return httpx.Client(
            verify=context,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_IDLE_SECONDS),
            timeout=httpx.Timeout(min(limits.silence, limits.page_seconds), connect=min(15.0, limits.silence)),
            follow_redirects=False,
            trust_env=not is_loopback(self._root.host),  # a proxy must not come between us and this very host
            headers={"Accept": "application/json", "User-Agent": "keytrust"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # of no use, and they would pile up
        )


@dataclass(slots=True)
class _Shared:
    client: httpx.Client
    context: ssl.SSLContext
    made: float
    users: int = 0
