"""Running a registry: in the foreground until it is told to stop, or beside other code."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator

import uvicorn

from keytrust.cloud.origin import is_loopback
from keytrust.errors import RegistryError
from keytrust.log import logger
from keytrust.registry.app import create_app
from keytrust.registry.context import Context
from keytrust.registry.database import Database
from keytrust.registry.limits import Limits
from keytrust.registry.notifier import notifying
from keytrust.registry.settings import RegistrySettings
from keytrust.registry.signing_keys import SigningKeys
from keytrust.registry.tokens import TokenVerifier
from keytrust.serving import Endpoint, Server, http_config, in_a_thread, listening

_NOT_STARTED = "the registry was not started"
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound
_STOP_SECONDS = 10


def serve(settings: RegistrySettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first.

    A JSON line ``{"event": "registry is ready", "url": …}`` on standard error says when it answers, and where.

    Raises:
        RegistryError: it cannot start: no TLS outside loopback, an address in use, a database that cannot be opened.
    """
    with _bound(settings) as (listener, bound, database):
        log = logger()
        server = Server(_config(bound, database), lambda: log.info("registry is ready", url=bound.url))
        with _signals_stay_caught():
            server.run(sockets=[listener])
        log.info("registry has stopped")


@contextlib.contextmanager
def running(settings: RegistrySettings) -> Iterator[str]:
    """A registry in a thread of this process, for tests and demonstrations; yields its URL and stops it at the end.

    Raises:
        RegistryError: as ``serve``.
    """
    with (
        _bound(settings) as (listener, bound, database),
        in_a_thread(_config(bound, database), listener, _endpoint(settings), "registry"),
    ):
        yield bound.url


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


@contextlib.contextmanager
def _bound(settings: RegistrySettings) -> Iterator[tuple[socket.socket, RegistrySettings, Database]]:
    """The listening socket, the settings with the real port, and the open database."""
    _check_tls(settings)
    with listening(_endpoint(settings)) as listener:
        bound = settings.model_copy(update={"port": listener.getsockname()[1]})
        with contextlib.closing(Database.open(settings.database_url)) as database, notifying(database, bound):
            yield listener, bound, database


def _config(settings: RegistrySettings, database: Database) -> uvicorn.Config:
    signing_keys = None if settings.signing_keys is None else SigningKeys(settings.signing_keys)
    context = Context(settings, database, TokenVerifier(settings, signing_keys), Limits(settings), signing_keys)
    return http_config(
        create_app(context),
        _endpoint(settings),
        stop_seconds=_STOP_SECONDS,
        concurrency=1000,
        head_bytes=64 * 1024,
        backlog=512,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
    )


def _endpoint(settings: RegistrySettings) -> Endpoint:
    return Endpoint(
        "the registry",
        settings.host,
        settings.port,
        settings.tls_certificate,
        settings.tls_key,
        RegistryError,
        _NOT_STARTED,
        "[registry]",
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
