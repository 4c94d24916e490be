"""Running a registry: in the foreground until it is told to stop, or beside other code."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import uvicorn

from keytrust.cloud.origin import is_loopback
from keytrust.errors import RegistryError
from keytrust.registry.app import create_app
from keytrust.registry.context import Context
from keytrust.registry.database import Database
from keytrust.registry.limits import Limits
from keytrust.registry.notifier import notifying
from keytrust.registry.request_log import logger
from keytrust.registry.settings import RegistrySettings
from keytrust.registry.signing_keys import SigningKeys
from keytrust.registry.tokens import TokenVerifier

_NOT_STARTED = "the registry was not started"
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound
_START_SECONDS = 30.0
_STOP_SECONDS = 10


def serve(settings: RegistrySettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first.

    A JSON line ``{"event": "registry is ready", "url": …}`` on standard error says when it answers, and where.

    Raises:
        RegistryError: it cannot start: no TLS outside loopback, an address in use, a database that cannot be opened.
    """
    with _bound(settings) as (listener, bound, database):
        log = logger()
        server = _Server(_config(bound, database), on_ready=lambda: log.info("registry is ready", url=bound.url))
        with _signals_stay_caught():
            server.run(sockets=[listener])
        log.info("registry has stopped")


@contextlib.contextmanager
def running(settings: RegistrySettings) -> Iterator[str]:
    """A registry in a thread of this process, for tests and demonstrations; yields its URL and stops it at the end.

    Raises:
        RegistryError: as ``serve``.
    """
    with _bound(settings) as (listener, bound, database):
        ready = threading.Event()
        server = _Server(_config(bound, database), on_ready=ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="registry", daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not ready.wait(0.05):
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise RegistryError("the registry's server did not start", remedy="look at its log")
            yield bound.url
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS + 5)


@contextlib.contextmanager
def _signals_stay_caught() -> Iterator[None]:
    """Swallow the signal that uvicorn raises once more after it has stopped for it: a stop on request is no failure."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: object) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and callable(self._on_ready):
            self._on_ready()


@contextlib.contextmanager
def _bound(settings: RegistrySettings) -> Iterator[tuple[socket.socket, RegistrySettings, Database]]:
    """The listening socket, the settings with the real port, and the open database."""
    _check_tls(settings)
    with contextlib.closing(_listen(settings)) as listener:
        bound = settings.model_copy(update={"port": listener.getsockname()[1]})
        with contextlib.closing(Database.open(settings.database_url)) as database, notifying(database, bound):
            yield listener, bound, database


def _config(settings: RegistrySettings, database: Database) -> uvicorn.Config:
    signing_keys = None if settings.signing_keys is None else SigningKeys(settings.signing_keys)
    context = Context(settings, database, TokenVerifier(settings, signing_keys), Limits(settings), signing_keys)
    return uvicorn.Config(
        create_app(context),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ws="none",
        limit_concurrency=1000,
        backlog=512,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
        ssl_certfile=None if settings.tls_certificate is None else str(settings.tls_certificate),
        ssl_keyfile=None if settings.tls_key is None else str(settings.tls_key),
    )


def _check_tls(settings: RegistrySettings) -> None:
    if settings.tls_certificate is None:
        if not is_loopback(settings.host):
            raise RegistryError(
                f"the registry may not listen at {settings.host} without TLS: tokens would travel in clear text",
                not_done=_NOT_STARTED,
                remedy="set tls_certificate and tls_key, or listen at 127.0.0.1 behind a proxy that does TLS",
            )
        return
    if settings.public_url is None and settings.host in _EVERYWHERE:
        raise RegistryError(
            f"the registry listens at every address ({settings.host}) and does not know the name its clients use",
            not_done=_NOT_STARTED,
            remedy="set public_url to the https URL for which its certificate was issued",
        )
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # An encrypted key must be an error, not a question on a terminal that is not there.
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise RegistryError(
            f"the TLS certificate {settings.tls_certificate} and its key cannot be used",
            not_done=_NOT_STARTED,
            remedy="give a PEM certificate chain and the unencrypted PEM key that belongs to it",
            detail=str(error),
        ) from error


def _listen(settings: RegistrySettings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        # With its protocol named asyncio sets TCP_NODELAY on the connections; without, answers wait 40 ms for an ACK.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, settings.port))
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise RegistryError(
            f"the registry cannot listen at {settings.host}:{settings.port}: {error.strerror or error}",
            not_done=_NOT_STARTED,
            remedy="choose a free port and an address of this host",
        ) from error
    return listener
