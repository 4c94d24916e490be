"""One authenticated request for a JSON object: retried, renewed, bounded, verified."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from keytrust.cloud import diagnosis
from keytrust.cloud.budget import UNITS, Budget
from keytrust.cloud.origin import is_loopback
from keytrust.cloud.retry import TRANSIENT, Patience, RetryPolicy
from keytrust.cloud.tokens import TokenProvider
from keytrust.errors import CloudError, ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a server may make us hold, fetch and wait for.

    Attributes:
        page_bytes: One answer, decompressed.
        page_seconds: The time for one answer to arrive, however slowly it drips.
        silence: The time without a byte after which a connection counts as dead.
        pages: The number of pages of one read.
        idle_pages: Pages in a row that bring no new user (empty and replayed pages are legal, endless ones are not).
        total_bytes: All pages of one read, which are kept in a temporary file.
        units: Resource units that may be used in 10 seconds.
    """

    page_bytes: int = 64 * 2**20
    page_seconds: float = 300.0
    silence: float = 30.0
    pages: int = 100_000
    idle_pages: int = 100
    total_bytes: int = 32 * 2**30
    units: float = UNITS


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """A verifying TLS context: the system's authorities, or only those of ``ca_file``.

    Raises:
        ConfigError: the file cannot be read or holds no certificate.
    """
    try:
        if ca_file is None:
            paths = ssl.get_default_verify_paths()
            return _context(None, tuple(_state(path) for path in (paths.cafile, paths.capath) if path))
        return _context(str(ca_file), (_state(str(ca_file)),))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the CA file {ca_file} cannot be used: {error.strerror or error}",
            not_done="no connection was made",
            remedy="give a readable file of PEM certificates",
        ) from error


@lru_cache(maxsize=8)
def _context(ca_file: str | None, _states: tuple[object, ...]) -> ssl.SSLContext:
    """Made once while the files of authorities stay as they are: reading them for every poll costs more than the poll.

    By hand, since ssl.create_default_context is replaced, by some libraries for the whole process, with one that
    verifies nothing. A context for clients verifies certificate and name from the start.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(ca_file)
    return context


def _state(path: str) -> tuple[int, int, int]:
    """What changes when a file is written or replaced, or an entry of a folder is."""
    found = Path(path).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


class Transport:
    """The HTTP side of one read. Use as a context manager; requests may be made from many threads.

    Args:
        root: The service root, as ``root_url`` accepts it.
        tokens: Where access tokens come from.
        ca_file: The only certificate authorities to trust; None for the system's.
        retry: When to ask again.
        limits: Bounds on answers.
    """

    def __init__(
        self, root: httpx.URL, tokens: TokenProvider, *, ca_file: Path | None, retry: RetryPolicy, limits: Limits
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._patience = Patience(retry)
        self._budget = Budget(limits.units, sleep=retry.sleep)
        self._renewing = threading.Lock()
        self._answered = False
        self._pressure: str | None = None
        self._client = httpx.Client(
            verify=tls_context(ca_file if root.scheme == "https" else None),
            timeout=httpx.Timeout(min(limits.silence, limits.page_seconds), connect=min(15.0, limits.silence)),
            follow_redirects=False,
            trust_env=not is_loopback(root.host),  # a proxy must not come between us and this very host
            headers={"Accept": "application/json", "User-Agent": "keytrust"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, url: httpx.URL) -> bytes:
        """The body of a 200.

        Raises:
            CloudError: every allowed try failed, or the answer is one that trying again would not change.
        """
        return self._request("GET", url, None)

    def post(self, url: httpx.URL, content: bytes, *, units: int = 1) -> bytes:
        """The body of a 200 to a POST that only reads (``$batch``), so that it may be sent again. Raises as ``get``.

        Args:
            url: Where to.
            content: JSON.
            units: How many reads it holds.
        """
        return self._request("POST", url, content, units=units)

    def send(self, method: str, url: httpx.URL, content: bytes | None = None) -> bytes:
        """The body of a 2xx to a request that changes something. May be sent more than once. Raises as ``get``."""
        return self._request(method, url, content, success=range(200, 300))

    def wait(self, attempt: int, retry_after: str | None) -> bool:
        """Wait for the sake of a part of an answer, from the same patience; see ``Patience.wait``."""
        return self._patience.wait(attempt, retry_after)

    def throttled(self) -> None:
        """A part of an answer was a 429."""
        self._budget.throttled()

    def _request(
        self,
        method: str,
        url: httpx.URL,
        content: bytes | None,
        success: Container[int] = (httpx.codes.OK,),
        units: int = 1,
    ) -> bytes:
        token = self._tokens.token()
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            try:
                self._patience.ease(self._pressure)
                self._budget.take(units)
                response, body = self._fetch(method, url, content, token)
            except httpx.HTTPError as error:
                # Before anything was answered, a refused connection is a wrong address rather than a restart.
                hopeless = diagnosis.is_permanent(error) or (diagnosis.is_refusal(error) and not self._answered)
                if hopeless or not self._patience.wait(attempt):
                    raise diagnosis.unreachable(url, error) from error
                continue
            self._answered = True
            self._pressure = response.headers.get("x-ms-throttle-limit-percentage")
            if response.status_code in success:
                self._budget.answered()
                return body
            if response.status_code == httpx.codes.UNAUTHORIZED and not renewed:
                renewed = True
                attempt -= 1
                token = self._renewed(token)
                continue
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                self._budget.throttled()
            retry_after = response.headers.get("retry-after")
            if response.status_code not in TRANSIENT or not self._patience.wait(attempt, retry_after):
                raise diagnosis.refused(url, response, body)

    def _renewed(self, refused: str) -> str:
        """A token in place of one that was refused: fetched once, however many threads were refused."""
        with self._renewing:
            current = self._tokens.token()
            return current if current != refused else self._tokens.renew()

    def _fetch(self, method: str, url: httpx.URL, content: bytes | None, token: str) -> tuple[httpx.Response, bytes]:
        deadline = time.monotonic() + self._limits.page_seconds
        chunks: list[bytes] = []
        size = 0
        headers = {"Authorization": f"Bearer {token}"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        with self._client.stream(method, url, headers=headers, content=content) as response:
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                size += len(chunk)
                if size > self._limits.page_bytes:
                    raise self._too_much(url)
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer took too long to arrive", request=response.request)
        return response, b"".join(chunks)

    def _too_much(self, url: httpx.URL) -> CloudError:
        return diagnosis.unusable(url, f"answered with more than {self._limits.page_bytes} bytes")
