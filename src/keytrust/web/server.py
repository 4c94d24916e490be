"""Serving an ASGI application in a thread beside the work that it reports on."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from keytrust.errors import WebError
from keytrust.web.settings import WebSettings

_START_SECONDS = 30.0
_STOP_SECONDS = 5
_NOT_STARTED = "Health, metrics and status are not served."


@contextlib.contextmanager
def serving(app: ASGIApp, settings: WebSettings) -> Iterator[str]:
    """Serve until the block ends; yields the URL.

    Raises:
        WebError: the address is taken, or the certificate cannot be used.
    """
    _check_certificate(settings)
    with contextlib.closing(_listen(settings)) as listener:
        server = _Server(_config(app, settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not server.ready.wait(0.05):
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise WebError("The web server did not start.", not_done=_NOT_STARTED)
            scheme = "http" if settings.tls_certificate is None else "https"
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            yield f"{scheme}://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS + 5)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready.set()


def _config(app: ASGIApp, settings: WebSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=50,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=16 * 1024,
        ssl_certfile=None if settings.tls_certificate is None else str(settings.tls_certificate),
        ssl_keyfile=None if settings.tls_key is None else str(settings.tls_key),
    )


def _check_certificate(settings: WebSettings) -> None:
    if settings.tls_certificate is None:
        return
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # An encrypted key must be an error, not a question on a terminal that is not there.
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise WebError(
            f"The TLS certificate {settings.tls_certificate} and its key cannot be used.",
            not_done=_NOT_STARTED,
            remedy="Give a PEM certificate chain and the unencrypted PEM key that belongs to it in [web].",
            detail=str(error),
        ) from error


def _listen(settings: WebSettings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, settings.port))
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise WebError(
            f"Health, metrics and status cannot be served at {settings.host}:{settings.port}: {error.strerror}.",
            not_done=_NOT_STARTED,
            remedy="Choose a free port and an address of this host in [web].",
        ) from error
    return listener
