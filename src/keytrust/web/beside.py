"""The web pages and counters of one running service."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import Engine

from keytrust.log import logger
from keytrust.service.overview import read_overview
from keytrust.service.progress import stalled
from keytrust.service.service import Service
from keytrust.store.holder import holder_name
from keytrust.web.app import Sources, create_app
from keytrust.web.metrics import Metrics
from keytrust.web.server import serving
from keytrust.web.settings import WebSettings


@contextlib.contextmanager
def pages_beside(service: Service, store: Engine, settings: WebSettings) -> Iterator[str]:
    """Serve health, metrics and status of a service until the block ends; yields the URL.

    Raises:
        WebError: it is not possible to serve there.
        ConfigError: the token file cannot be read.
    """
    metrics = Metrics(lambda: read_overview(store))
    service.events.subscribe(metrics)
    sources = Sources(lambda: read_overview(store), lambda: stalled(service), metrics, holder_name("keytrust run"))
    with serving(create_app(settings, sources), settings) as url:
        logger().info("status is served", url=url)
        yield url
