"""Being told of changes: the receiver served, and a subscription to it kept, for as long as somebody polls."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from keytrust.cloud.notification_receiver import NotificationReceiver
from keytrust.cloud.settings import NotificationSettings
from keytrust.cloud.subscription import SubscriptionKeeper
from keytrust.cloud.subscriptions import SubscriptionService
from keytrust.errors import ConfigError

_START_SECONDS = 30.0
_STOP_SECONDS = 5


@contextlib.contextmanager
def noticing(
    service: SubscriptionService, settings: NotificationSettings, wake: Callable[[], None]
) -> Iterator[SubscriptionKeeper]:
    """Call ``wake`` when the service says that something changed, until the block ends.

    Notices only shorten the wait between two polls: the service may be down, refuse the subscription or lose notices,
    and all that happens is that the next poll comes at its time. The keeper's ``state`` says how it stands.

    Args:
        service: Where to subscribe, ``GraphSource.subscriptions()``.
        settings: Where to listen, and where the service reaches us.
        wake: Wakes the poller, such as ``Wakeup.set``. Must not block.

    Raises:
        ConfigError: it is not possible to listen there.
    """
    client_state = secrets.token_urlsafe(32)
    keeper = SubscriptionKeeper(service, settings.url, client_state, wake)
    receiver = NotificationReceiver(client_state, wake, keeper.lifecycle)
    stop = threading.Event()
    with receiving(receiver, settings):
        thread = threading.Thread(target=keeper.run, args=(stop,), name="subscription", daemon=True)
        thread.start()
        try:
            yield keeper
        finally:
            stop.set()
            keeper.nudge()
            thread.join(_STOP_SECONDS)


@contextlib.contextmanager
def receiving(receiver: NotificationReceiver, settings: NotificationSettings) -> Iterator[int]:
    """Serve the receiver in a thread of its own; yields the port.

    Raises:
        ConfigError: the address or the certificate cannot be used.
    """
    with contextlib.ExitStack() as stack:
        try:
            family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
            listener = stack.enter_context(
                contextlib.closing(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            )
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, settings.port))
            config = _config(receiver, settings)
            config.load()  # reads the certificate
            stack.enter_context(_served(config, listener))
        except OSError as error:
            raise ConfigError(
                f"change notifications cannot be received at {settings.host}:{settings.port}: "
                f"{error.strerror or error}",
                not_done="nobody listens for them",
                remedy="choose a free port and an address of this host in [cloud.notifications], and a certificate "
                "with its unencrypted key",
            ) from error
        yield int(listener.getsockname()[1])


def _config(receiver: NotificationReceiver, settings: NotificationSettings) -> uvicorn.Config:
    return uvicorn.Config(
        receiver,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=100,
        backlog=128,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=16 * 1024,
        ssl_certfile=None if settings.certificate is None else str(settings.certificate),
        ssl_keyfile=None if settings.key is None else str(settings.key),
    )


@contextlib.contextmanager
def _served(config: uvicorn.Config, listener: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="notifications", daemon=True)
    thread.start()
    try:
        waited = threading.Event()
        for _ in range(int(_START_SECONDS / 0.01)):
            if server.started or not thread.is_alive():
                break
            waited.wait(0.01)
        if not server.started:
            raise OSError("the server did not start")
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS + 5)
