"""The ASGI application to which the cloud posts its change notifications.

A notification says only that it is worth asking: nothing of what it claims is believed, so that a forged one costs one
poll and a lost one is made up for by the next. What it proves by ``clientState`` is that it comes from the service that
we subscribed at.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from keytrust.cloud import strict_json

MAX_BODY = 256 * 1024
"""Longest accepted body, bytes. A notification of one change is about 500."""

_MAX_TOKEN = 2048
_LIFECYCLE = frozenset({"reauthorizationRequired", "subscriptionRemoved", "missed"})

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class NotificationReceiver:
    """Answers the validation of a subscription, and passes on what notifications say.

    Args:
        client_state: The secret that was given to the service with the subscription.
        on_change: Called when something changed. Must not block.
        on_lifecycle: Called with the name of a lifecycle event. Must not block.
    """

    def __init__(self, client_state: str, on_change: Callable[[], None], on_lifecycle: Callable[[str], None]) -> None:
        self._client_state = client_state.encode()
        self._on_change = on_change
        self._on_lifecycle = on_lifecycle

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, at whatever path the receiver is mounted."""
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await _answer(send, 405)
            return
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=20)
        if "validationToken" in query:
            token = query["validationToken"][0]
            if len(token) > _MAX_TOKEN or not token.isprintable():
                await _answer(send, 400)
            else:
                await _answer(send, 200, token.encode())
            return
        body = await _bounded(receive)
        # The answer is the same whether or not we believe it: a stranger learns nothing by guessing.
        await _answer(send, 413 if body is None else 202 if self._take(body) else 400)

    def _take(self, body: bytes) -> bool:
        """Pass on what the body says; False if it is not a collection of notifications."""
        try:
            content = strict_json.loads(body)
        except ValueError:
            return False
        items = content.get("value") if isinstance(content, Mapping) else None
        if not isinstance(items, list):
            return False
        ours = [item for item in items if isinstance(item, Mapping) and self._is_ours(item.get("clientState"))]
        for event in {str(item["lifecycleEvent"]) for item in ours if "lifecycleEvent" in item} & _LIFECYCLE:
            self._on_lifecycle(event)
        if any("lifecycleEvent" not in item for item in ours):
            self._on_change()
        return True

    def _is_ours(self, client_state: object) -> bool:
        given = client_state if isinstance(client_state, str) and len(client_state) <= 1024 else ""
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._client_state)


async def _bounded(receive: Receive) -> bytes | None:
    """The whole body; None if it is too long, or broke off."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Send, status: int, body: bytes = b"") -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
