"""The routes of ``subscriptions``."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection, Row
from starlette.concurrency import run_in_threadpool

from keytrust.cloud import strict_json
from keytrust.registry import audit, notification_target, odata, schemas, subscriptions
from keytrust.registry.bodies import BodyIncompleteError, BodyTooLargeError, bounded_body
from keytrust.registry.context import request_id
from keytrust.registry.graph_version import GraphVersion, guid
from keytrust.registry.notification_target import Poster
from keytrust.registry.odata import ODataError
from keytrust.registry.subscriptions import Wanted
from keytrust.registry.tokens import READER, Claims

MAX_BODY = 32 * 1024
_AT_ONCE = 4
_NOT_VALIDATED = (
    "Subscription validation request failed: the validationToken was not given back as plain text, with status 200 and "
    "within 10 seconds."
)
_SECURITY: dict[str, Any] = {"security": [{"bearer": []}]}


def _body(model: type[Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {**_SECURITY, "requestBody": {"required": True, "content": content}}


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the routes do, and what they share."""

    graph: GraphVersion
    poster: Poster
    validating: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE))

    def claims(self, request: Request) -> Claims:
        return self.graph.authorize(request, READER)

    def one(self, connection: Connection, subscription: str, claims: Claims) -> Row[Any]:
        name = guid(subscription, "The subscription")
        found = subscriptions.find(connection, name, _owner(claims), self.graph.context.now())
        return found if found is not None else odata.not_found("The subscription")

    def enter(self, request: Request, wanted: Wanted, claims: Claims) -> Row[Any]:
        """Enter a subscription whose targets are allowed and agree."""
        urls: dict[str, object] = {"notificationUrl": wanted.notification_url}
        if wanted.lifecycle_url is not None:
            urls["lifecycleNotificationUrl"] = wanted.lifecycle_url
        for name, url in urls.items():
            why = notification_target.refusal(url, self.graph.context.settings.notification_hosts)
            if why is not None:
                odata.bad_request(f"The {name} {why}.")
        if not self.validating.acquire(blocking=False):
            raise ODataError(429, "TooManyRequests", "Too many subscriptions are being made.", {"Retry-After": "5"})
        try:
            if not all(self.poster.validate(url) for url in {str(url) for url in urls.values()}):
                raise ODataError(400, "ValidationError", _NOT_VALIDATED)
        finally:
            self.validating.release()
        origin = self._origin(request, claims)
        return self.graph.context.database.transact(
            lambda connection: subscriptions.create(connection, wanted, _owner(claims), origin)
        )

    def renew(self, subscription: str, end: int, claims: Claims) -> Row[Any]:
        """Move the end of a subscription."""

        def change(connection: Connection) -> Row[Any]:
            found = self.one(connection, subscription, claims)
            subscriptions.renew(connection, found.id, end)
            return self.one(connection, subscription, claims)

        return self.graph.context.database.transact(change)

    def remove(self, request: Request, subscription: str, claims: Claims) -> None:
        """End a subscription."""
        origin = self._origin(request, claims)
        self.graph.context.database.transact(
            lambda connection: subscriptions.remove(connection, self.one(connection, subscription, claims).id, origin)
        )

    def answer(self, request: Request, row: Row[Any]) -> dict[str, object]:
        base = f"{self.graph.context.base_url(request)}/{self.graph.version}"
        return {"@odata.context": f"{base}/$metadata#subscriptions/$entity", **subscriptions.entity(row)}

    def _origin(self, request: Request, claims: Claims) -> audit.Origin:
        return audit.Origin(claims.actor, self.graph.context.now(), request_id(request))


def add_routes(routes: APIRouter, graph: GraphVersion, poster: Poster) -> None:
    """Add them to the routes of a version."""
    desk = _Desk(graph, poster)
    context = graph.context
    one_path = "/subscriptions/{subscription}"
    no_content: dict[str, Any] = {"status_code": 204, "response_class": Response, "response_model": None}

    @routes.post(
        "/subscriptions", status_code=201, response_model=dict[str, Any], openapi_extra=_body(schemas.SubscriptionBody)
    )
    async def create_subscription(request: Request) -> Response:
        """Be told of changes of users. The notificationUrl is asked first whether it agrees."""
        claims = await run_in_threadpool(desk.claims, request)
        wanted = subscriptions.parse(await _content(request), context.now())
        row = await run_in_threadpool(desk.enter, request, wanted, claims)
        return Response(odata.encode(desk.answer(request, row)), 201, media_type="application/json")

    @routes.get("/subscriptions", response_model=schemas.Collection, openapi_extra=_SECURITY)
    def list_subscriptions(request: Request) -> Response:
        """The caller's own subscriptions."""
        claims = desk.claims(request)
        with context.database.read() as connection:
            rows = subscriptions.of_owner(connection, _owner(claims), context.now())
        return graph.collection(request, "subscriptions", [subscriptions.entity(row) for row in rows])

    @routes.get(one_path, response_model=dict[str, Any], openapi_extra=_SECURITY)
    def get_subscription(request: Request, subscription: str) -> Response:
        """One of the caller's subscriptions."""
        claims = desk.claims(request)
        with context.database.read() as connection:
            return graph.entity(request, desk.answer(request, desk.one(connection, subscription, claims)))

    @routes.patch(one_path, response_model=dict[str, Any], openapi_extra=_body(schemas.RenewalBody))
    async def renew_subscription(request: Request, subscription: str) -> Response:
        """Move the end of a subscription."""
        claims = await run_in_threadpool(desk.claims, request)
        content = await _content(request)
        if not isinstance(content, dict) or set(content) - {"@odata.type"} != {"expirationDateTime"}:
            odata.bad_request("Only the expirationDateTime of a subscription can be changed.")
        end = subscriptions.parse_end(content["expirationDateTime"], context.now())
        row = await run_in_threadpool(desk.renew, subscription, end, claims)
        return graph.entity(request, desk.answer(request, row))

    @routes.post(f"{one_path}/reauthorize", openapi_extra=_SECURITY, **no_content)
    def reauthorize_subscription(request: Request, subscription: str) -> Response:
        """Show that the caller may still have it: its token is all there is to see."""
        claims = desk.claims(request)
        with context.database.read() as connection:
            desk.one(connection, subscription, claims)
        return Response(status_code=204)

    @routes.delete(one_path, openapi_extra=_SECURITY, **no_content)
    def remove_subscription(request: Request, subscription: str) -> Response:
        """End a subscription."""
        desk.remove(request, subscription, desk.claims(request))
        return Response(status_code=204)


def _owner(claims: Claims) -> str:
    return claims.actor[:1024]


async def _content(request: Request) -> object:
    try:
        return strict_json.loads(await bounded_body(request, MAX_BODY))
    except (BodyTooLargeError, BodyIncompleteError) as error:
        odata.bad_request(str(error))
    except ValueError:
        odata.bad_request("The body is not JSON.")
