"""Being told of changes: the receiver served, and a subscription to it kept, for as long as somebody polls."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator

from keytrust.cloud.notification_receiver import NotificationReceiver
from keytrust.cloud.settings import NotificationSettings
from keytrust.cloud.subscription import SubscriptionKeeper
from keytrust.cloud.subscriptions import SubscriptionService
from keytrust.errors import ConfigError
from keytrust.serving import Endpoint, http_config, in_a_thread, listening

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
    endpoint = Endpoint(
        "the receiver of change notifications",
        settings.host,
        settings.port,
        settings.certificate,
        settings.key,
        ConfigError,
        "nobody listens for them",
        "[cloud.notifications]",
    )
    config = http_config(
        receiver, endpoint, stop_seconds=_STOP_SECONDS, concurrency=100, head_bytes=16 * 1024, backlog=128
    )
    with listening(endpoint) as listener, in_a_thread(config, listener, endpoint, "notifications"):
        yield int(listener.getsockname()[1])
