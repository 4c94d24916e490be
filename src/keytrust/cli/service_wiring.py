"""From the configuration to the continuous service. Apart from ``wiring``: no other command needs to load it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from keytrust.cli.wiring import key_source
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.retry import RetryPolicy
from keytrust.cloud.settings import CloudSettings
from keytrust.cloud.source import CloudUser
from keytrust.config import Settings
from keytrust.errors import ConfigError
from keytrust.log import logger
from keytrust.service.service import Plant, Service
from keytrust.store.database import open_store


def _wait(stop: threading.Event, seconds: float) -> None:
    """Sleep, but not longer than the service goes on."""
    stop.wait(seconds)


def _tell_migrated(before: str, now: str) -> None:
    logger().info("store migrated", tables=now, before=before or None)


@dataclass(frozen=True, slots=True)
class CloudOpener:
    """Reads everybody from the key source; can be sent to another process."""

    cloud: CloudSettings

    def __call__(self) -> Iterator[CloudUser]:
        """See ``KeySource.read``."""
        return key_source(self.cloud).read()


@contextmanager
def open_service(settings: Settings, *, only: str | None = None) -> Iterator[Service]:
    """The continuous service over all configured domains, or one.

    Raises:
        ConfigError: the key source is a file, which tells no changes.
    """
    cloud = settings.need_cloud()
    stop = threading.Event()
    # A feed comes back by itself, so it is soon told that it fails instead of trying for minutes.
    source = key_source(cloud, RetryPolicy(attempts=3, total=120.0, sleep=partial(_wait, stop)))
    if not isinstance(source, GraphSource):
        raise ConfigError(
            "keytrust run follows changes, and an exported file tells none.",
            not_done="The service was not started.",
            remedy='Use keytrust sync from a timer, or a cloud of kind = "graph" or "registry".',
        )
    store = open_store(settings.store.url, _tell_migrated)
    with ExitStack() as stack:
        stack.callback(store.dispose)
        stack.enter_context(source.connected())
        service = Service(
            Plant(
                domains=settings.need_directories(only),
                source=source,
                read_users=CloudOpener(cloud),
                store=store,
                policy=settings.policy,
                settings=settings.service,
                poll_seconds=settings.service.cloud_seconds(cloud.kind),
                stop=stop,
            )
        )
        if cloud.notifications is not None:
            from keytrust.cloud.notices import noticing  # noqa: PLC0415 - the web server is slow to load

            stack.enter_context(noticing(source.subscriptions(), cloud.notifications, service.wake))
        yield service
