"""Serving the web application in a thread beside the work that it reports on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from starlette.types import ASGIApp

from keytrust.errors import WebError
from keytrust.serving import Endpoint, http_config, in_a_thread, listening
from keytrust.web.settings import WebSettings

_STOP_SECONDS = 5


@contextlib.contextmanager
def serving(app: ASGIApp, settings: WebSettings) -> Iterator[str]:
    """Serve until the block ends; yields the URL.

    Raises:
        WebError: the address is taken, or the certificate cannot be used.
    """
    endpoint = Endpoint(
        "the status page",
        settings.host,
        settings.port,
        settings.tls_certificate,
        settings.tls_key,
        WebError,
        "health, metrics and status are not served",
        "[web]",
    )
    config = http_config(app, endpoint, stop_seconds=_STOP_SECONDS, concurrency=50, head_bytes=16 * 1024)
    with listening(endpoint) as listener, in_a_thread(config, listener, endpoint, "web"):
        scheme = "http" if settings.tls_certificate is None else "https"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        yield f"{scheme}://{host}:{listener.getsockname()[1]}"
