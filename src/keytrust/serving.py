"""Serving ASGI applications over HTTP, the same way for the registry, the status pages and change notifications."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from keytrust.errors import KeytrustError

START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where something is served, and how its faults are told.

    Attributes:
        what: What is served, as the subject of a sentence ("the registry").
        host: The address to listen at.
        port: The port; 0 takes any free one.
        certificate: PEM certificate chain; None for no TLS.
        key: PEM private key for it, without a passphrase.
        error: The type of its errors.
        not_done: What is then not done.
        table: The configuration's table, for remedies.
    """

    what: str
    host: str
    port: int
    certificate: Path | None
    key: Path | None
    error: type[KeytrustError]
    not_done: str
    table: str

    def fault(self, message: str, *, remedy: str = "", detail: str = "") -> KeytrustError:
        """An error about it."""
        return self.error(message, not_done=self.not_done, remedy=remedy, detail=detail)


@contextlib.contextmanager
def listening(endpoint: Endpoint) -> Iterator[socket.socket]:
    """A listening socket, once it is certain that the certificate can be used.

    Raises:
        KeytrustError: of the endpoint's type: the certificate cannot be used, or the address is taken.
    """
    _check_certificate(endpoint)
    where = f"{endpoint.host}:{endpoint.port}"
    with contextlib.ExitStack() as stack:
        try:
            family = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)[0][0]
            # With its protocol named asyncio sets TCP_NODELAY on connections; without, answers wait 40 ms for an ACK.
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            stack.callback(listener.close)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((endpoint.host, endpoint.port))
        except OSError as error:
            raise endpoint.fault(
                f"{endpoint.what} cannot listen at {where}: {error.strerror or error}",
                remedy=f"choose a free port and an address of this host in {endpoint.table}",
            ) from error
        yield listener


def http_config(
    app: Any, endpoint: Endpoint, *, stop_seconds: int, concurrency: int, head_bytes: int, **more: Any
) -> uvicorn.Config:
    """How uvicorn serves: bounded, without a log of its own, a banner or websockets, and believing no proxy.

    Args:
        app: The ASGI application.
        endpoint: Where.
        stop_seconds: How long requests under way are waited for at the end.
        concurrency: Most connections at a time; more are answered 503.
        head_bytes: Longest request head.
        more: Other settings of ``uvicorn.Config``.
    """
    settings: dict[str, Any] = {
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "ws": "none",
        "limit_concurrency": concurrency,
        "timeout_keep_alive": 30,
        "timeout_graceful_shutdown": stop_seconds,
        "h11_max_incomplete_event_size": head_bytes,
        "ssl_certfile": None if endpoint.certificate is None else str(endpoint.certificate),
        "ssl_keyfile": None if endpoint.key is None else str(endpoint.key),
    }
    return uvicorn.Config(app, **(settings | more))


class Server(uvicorn.Server):
    """A server that says when it answers.

    Args:
        config: How to serve.
        on_ready: Called when it answers.
    """

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See ``uvicorn.Server``."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


@contextlib.contextmanager
def in_a_thread(config: uvicorn.Config, listener: socket.socket, endpoint: Endpoint, name: str) -> Iterator[None]:
    """Serve in a thread of this process until the block ends.

    Raises:
        KeytrustError: of the endpoint's type: the server did not start.
    """
    ready = threading.Event()
    server = Server(config, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=name, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready.wait(0.05):
            if not thread.is_alive() or time.monotonic() > deadline:
                raise endpoint.fault(f"{endpoint.what}: the server did not start", remedy="look at its log")
        yield
    finally:
        server.should_exit = True
        thread.join((config.timeout_graceful_shutdown or 0) + 5)


def _check_certificate(endpoint: Endpoint) -> None:
    if endpoint.certificate is None:
        return
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # An encrypted key must be an error, not a question on a terminal that is not there.
        context.load_cert_chain(endpoint.certificate, endpoint.key, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise endpoint.fault(
            f"the TLS certificate {endpoint.certificate} and its key cannot be used",
            remedy="give a PEM certificate chain and the unencrypted PEM key that belongs to it",
            detail=str(error),
        ) from error
