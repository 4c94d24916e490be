"""The ASGI application: ``/healthz``, ``/readyz``, ``/metrics``, ``/status.json`` and the page at ``/``."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from keytrust.cloud.origin import is_loopback
from keytrust.errors import ConfigError, KeytrustError
from keytrust.service.overview import DomainOverview, overview_json
from keytrust.web.metrics import CONTENT_TYPE, Metrics
from keytrust.web.page import page
from keytrust.web.settings import WebSettings

_OPEN = frozenset({"/healthz", "/readyz"})
"""What load balancers and watchdogs ask: it says yes or no and names nobody."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_MOST_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Sources:
    """What the application shows.

    Attributes:
        read: Reads how every domain fares.
        stalled: What makes no progress in this process, by name; empty when all does.
        metrics: The counters.
        instance: What this instance is called.
    """

    read: Callable[[], Sequence[DomainOverview]]
    stalled: Callable[[], tuple[str, ...]]
    metrics: Metrics
    instance: str


def create_app(settings: WebSettings, sources: Sources) -> FastAPI:
    """The application.

    Raises:
        ConfigError: the token file cannot be read.
    """
    app = FastAPI(title="keytrust status", docs_url=None, redoc_url=None, openapi_url=None)
    token = None if settings.token_file is None else _token(settings.token_file)
    local = is_loopback(settings.host)

    @app.middleware("http")
    async def guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = _refused(request, token, local=local) or await call(request)
        response.headers.update(_HEADERS)
        return response

    @app.get("/healthz")
    async def healthz() -> Response:
        """Whether the process makes progress. It waits for nothing: a store that hangs must not make this hang."""
        stalled = sources.stalled()
        if stalled:
            return JSONResponse({"status": "stalled", "parts": list(stalled)}, 503)
        return JSONResponse({"status": "ok"})

    @app.get("/readyz")
    def readyz() -> Response:
        """Whether the store answers and every domain is kept in step, here or elsewhere."""
        try:
            behind = sum(not (each.alive or each.paused) for each in sources.read())
        except KeytrustError:
            return JSONResponse({"status": "the store does not answer"}, 503)
        if behind:
            return JSONResponse({"status": "not in step", "domains": behind}, 503)
        return JSONResponse({"status": "ok"})

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(sources.metrics.exposition(), media_type=CONTENT_TYPE)

    @app.get("/status.json")
    def status() -> Response:
        try:
            return JSONResponse([overview_json(each) for each in sources.read()])
        except KeytrustError as error:
            return JSONResponse({"error": error.message}, 503)

    @app.get("/")
    def index() -> Response:
        try:
            return HTMLResponse(page(sources.read(), sources.instance))
        except KeytrustError as error:
            return HTMLResponse(page((), sources.instance, error.message), 503)

    return app


def _refused(request: Request, token: bytes | None, *, local: bool) -> Response | None:
    if request.method not in ("GET", "HEAD"):
        return PlainTextResponse("This only answers questions.\n", 405, {"Allow": "GET, HEAD"})
    # A web page that resolves its own name to this address must not read what is here in somebody's browser.
    if local and not is_loopback(request.url.hostname or ""):
        return PlainTextResponse("Ask by the loopback address.\n", 421)
    if token is None or request.url.path in _OPEN:
        return None
    kind, _, given = request.headers.get("authorization", "")[:_MOST_TOKEN].partition(" ")
    if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token):
        return None
    return PlainTextResponse("A bearer token is needed.\n", 401, {"WWW-Authenticate": 'Bearer realm="keytrust"'})


def _token(path: Path) -> bytes:
    try:
        token = path.read_text(encoding="utf-8").strip().encode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The token file {path} cannot be read: {error}.", not_done="Nothing is served.") from error
    if len(token) < 16:
        raise ConfigError(
            f"The token in {path} is shorter than 16 characters.",
            not_done="Nothing is served.",
            remedy="Make one: openssl rand -hex 32.",
        )
    return token
