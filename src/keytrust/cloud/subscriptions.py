"""Subscriptions of Microsoft Graph: making, renewing, listing and removing them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

import httpx

from keytrust.cloud import diagnosis, fields
from keytrust.cloud.diagnosis import RefusedError
from keytrust.cloud.pages import decode, page_items
from keytrust.cloud.transport import Transport

RESOURCE = "users"
CHANGES = "updated,deleted"
"""Microsoft Graph reports a new user as updated."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as the service tells it.

    Attributes:
        id: Its id there.
        notification_url: Where the service posts.
        expires: When it ends unless it is renewed.
    """

    id: str
    notification_url: str
    expires: datetime


class SubscriptionService(Protocol):
    """What the keeper needs. Every method raises ``CloudError`` when the service refuses or cannot be reached."""

    def create(self, url: str, client_state: str, expires: datetime) -> Subscription:
        """Subscribe to changes of users. The service first asks ``url`` whether it agrees."""

    def renew(self, subscription_id: str, expires: datetime) -> Subscription | None:
        """Move the end of a subscription; None if the service has it no more."""

    def remove(self, subscription_id: str) -> None:
        """End a subscription; fine if it is not there."""

    def mine(self) -> list[Subscription]:
        """The subscriptions of this application to changes of users."""


class GraphSubscriptions:
    """``SubscriptionService`` over a Graph root.

    Args:
        open_transport: Opens a transport.
        base: ``<root>/v1.0``.
    """

    def __init__(self, open_transport: _Open, base: httpx.URL) -> None:
        self._open = open_transport
        self._url = httpx.URL(f"{base}/subscriptions")

    def create(self, url: str, client_state: str, expires: datetime) -> Subscription:
        """See ``SubscriptionService``."""
        wanted = {
            "changeType": CHANGES,
            "notificationUrl": url,
            "lifecycleNotificationUrl": url,
            "resource": RESOURCE,
            "expirationDateTime": _text(expires),
            "clientState": client_state,
        }
        with self._open() as transport:
            return _subscription(transport.send("POST", self._url, json.dumps(wanted).encode()), self._url)

    def renew(self, subscription_id: str, expires: datetime) -> Subscription | None:
        """See ``SubscriptionService``."""
        url = self._one(subscription_id)
        try:
            with self._open() as transport:
                body = transport.send("PATCH", url, json.dumps({"expirationDateTime": _text(expires)}).encode())
        except RefusedError as error:
            if error.status in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
                return None
            raise
        return _subscription(body, url)

    def remove(self, subscription_id: str) -> None:
        """See ``SubscriptionService``."""
        try:
            with self._open() as transport:
                transport.send("DELETE", self._one(subscription_id))
        except RefusedError as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise

    def mine(self) -> list[Subscription]:
        """See ``SubscriptionService``. One page: there is no need for more than one subscription."""
        with self._open() as transport:
            return list(self._found(transport))

    def _found(self, transport: Transport) -> Iterator[Subscription]:
        for item in page_items(decode(transport.get(self._url), self._url), self._url):
            if isinstance(item, Mapping) and item.get("resource") == RESOURCE:
                yield _read(item, self._url)

    def _one(self, subscription_id: str) -> httpx.URL:
        return httpx.URL(f"{self._url}/{quote(subscription_id, safe='')}")


class _Open(Protocol):
    def __call__(self) -> AbstractContextManager[Transport]: ...


def _subscription(body: bytes, url: httpx.URL) -> Subscription:
    return _read(decode(body, url), url)


def _read(item: Mapping[str, object], url: httpx.URL) -> Subscription:
    try:
        return Subscription(
            id=fields.text(item.get("id"), 256),
            notification_url=fields.text(item.get("notificationUrl"), 4096),
            expires=fields.time(item.get("expirationDateTime")),
        )
    except ValueError as error:
        raise diagnosis.unusable(url, "answered with something that is not a subscription", str(error)) from None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
