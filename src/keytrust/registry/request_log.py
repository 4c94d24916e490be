"""Around every request: an id, a time, one log line without secrets, and a plain answer should the code fail."""

from __future__ import annotations

import json
import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keytrust.log import logger
from keytrust.registry.metrics import Metrics

_FAILED = json.dumps(
    {"error": {"code": "InternalServerError", "message": "The request failed; the log says why.", "innerError": {}}}
).encode()


class RequestLog:
    """ASGI middleware. Logs method, path, status and time; never the query, a header or a body.

    Args:
        app: The application.
        log: Whether requests are logged. Failures always are.
        metrics: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, *, log: bool, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._logger = logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        scope["keytrust.request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            self._logger.exception("request failed", request_id=request_id, path=scope["path"][:256])
            if status == 0:
                headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_FAILED)).encode())]
                await send_with_id({"type": "http.response.start", "status": 500, "headers": headers})
                await send_with_id({"type": "http.response.body", "body": _FAILED})
        seconds = time.perf_counter() - started
        self._metrics.count(scope, status, seconds)
        if self._log:
            self._logger.info(
                "request",
                request_id=request_id,
                method=scope["method"][:32],
                path=scope["path"][:256],
                status=status,
                milliseconds=round(seconds * 1000, 2),
            )
