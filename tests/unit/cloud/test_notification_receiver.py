"""What is posted to the receiver, by the service and by strangers."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from keytrust.cloud.notification_receiver import MAX_BODY, NotificationReceiver

SECRET = "made-for-this-subscription"


class Posted:
    """A receiver, what it passed on, and posting to it."""

    def __init__(self) -> None:
        self.changes = 0
        self.events: list[str] = []
        self.app = NotificationReceiver(SECRET, self._changed, self.events.append)

    def _changed(self) -> None:
        self.changes += 1

    def send(
        self, body: bytes = b"", query: dict[str, str] | None = None, method: str = "POST", chunk: int = 60_000
    ) -> tuple[int, bytes, dict[bytes, bytes]]:
        scope = {"type": "http", "method": method, "path": "/", "query_string": urlencode(query or {}).encode()}
        chunks = [body[start : start + chunk] for start in range(0, len(body), chunk)] or [b""]
        messages = [
            {"type": "http.request", "body": each, "more_body": number + 1 < len(chunks)}
            for number, each in enumerate(chunks)
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])


def notice(**changes: Any) -> dict[str, Any]:
    given = {"subscriptionId": "s", "clientState": SECRET, "changeType": "updated", "resource": "users/1", **changes}
    return {name: value for name, value in given.items() if value is not None}


def body(*items: Any) -> bytes:
    return json.dumps({"value": items}).encode()


def test_a_validation_token_is_given_back_as_plain_text() -> None:
    posted = Posted()
    status, content, headers = posted.send(query={"validationToken": "Validation: a b+c/ä <script>"})
    assert (status, content) == (200, "Validation: a b+c/ä <script>".encode())
    assert headers[b"content-type"].startswith(b"text/plain")
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert posted.changes == 0


@pytest.mark.parametrize("token", ["x" * 3000, "two\r\nlines"])
def test_a_token_that_no_service_would_send_is_not_echoed(token: str) -> None:
    assert Posted().send(query={"validationToken": token})[0] == 400


def test_a_notification_wakes_once_however_much_it_lists() -> None:
    posted = Posted()
    assert posted.send(body(*[notice()] * 50))[0] == 202
    assert posted.changes == 1


@pytest.mark.parametrize("state", [None, "", SECRET[:-1], SECRET + "x", 7, "\ud800", [SECRET], "x" * 5000])
def test_one_without_our_secret_is_answered_alike_and_believed_in_nothing(state: Any) -> None:
    posted = Posted()
    assert posted.send(body(notice(clientState=state), notice(clientState=state, lifecycleEvent="missed")))[0] == 202
    assert (posted.changes, posted.events) == (0, [])


@pytest.mark.parametrize("event", ["reauthorizationRequired", "subscriptionRemoved", "missed"])
def test_lifecycle_events_are_passed_on_and_are_no_changes(event: str) -> None:
    posted = Posted()
    assert posted.send(body(notice(lifecycleEvent=event)))[0] == 202
    assert (posted.changes, posted.events) == (0, [event])


def test_an_event_that_is_not_known_is_nothing() -> None:
    posted = Posted()
    assert posted.send(body(notice(lifecycleEvent="sold"), notice(lifecycleEvent={"a": 1})))[0] == 202
    assert (posted.changes, posted.events) == (0, [])


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"[]",
        b'{"value":1}',
        b'{"value":[',
        b"\xff\xfe",
        b'{"value":' + b"[" * 100_000,
        b'{"value":[],"value":[]}',
    ],
    ids=range(8),
)
def test_damage_is_refused(damaged: bytes) -> None:
    posted = Posted()
    assert posted.send(damaged)[0] == 400
    assert (posted.changes, posted.events) == (0, [])


def test_a_body_without_end_is_cut_off() -> None:
    assert Posted().send(b" " * (MAX_BODY + 1))[0] == 413


def test_only_posts_are_taken() -> None:
    assert Posted().send(method="GET", query={"validationToken": "x"})[0] == 405
