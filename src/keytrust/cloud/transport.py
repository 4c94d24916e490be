"""One authenticated request for a JSON object: retried, renewed, bounded, verified."""

from __future__ import annotations

import threading
import time
from collections.abc import Container
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import httpx

from keytrust.cloud import diagnosis
from keytrust.cloud.budget import Budget
from keytrust.cloud.connections import Connections
from keytrust.cloud.limits import Limits
from keytrust.cloud.retry import TRANSIENT, Patience, RetryPolicy
from keytrust.cloud.tokens import TokenProvider
from keytrust.errors import CloudError

_CLOSED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""How a request ends whose kept connection the service has given up in the same moment. That is nobody's fault."""


class Transport:
    """The HTTP side of one read. Use as a context manager; requests may be made from many threads.

    Args:
        connections: To the service.
        tokens: Where access tokens come from.
        retry: When to ask again.
        limits: Bounds on answers.
    """

    def __init__(self, connections: Connections, tokens: TokenProvider, *, retry: RetryPolicy, limits: Limits) -> None:
        self._connections = connections
        self._tokens = tokens
        self._limits = limits
        self._patience = Patience(retry)
        self._budget = Budget(limits.units, sleep=retry.sleep)
        self._renewing = threading.Lock()
        self._answered = False
        self._pressure: str | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._client = self._open.enter_context(self._connections.client())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

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
        may_be_stale = self._connections.keeping
        attempt = 0
        while True:
            attempt += 1
            try:
                self._patience.ease(self._pressure)
                self._budget.take(units)
                response, body = self._fetch(method, url, content, token)
            except httpx.HTTPError as error:
                if may_be_stale and isinstance(error, _CLOSED):
                    may_be_stale = False
                    attempt -= 1
                    continue
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
