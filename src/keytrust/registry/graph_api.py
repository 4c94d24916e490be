"""The Graph-shaped routes, offered under ``/v1.0`` and ``/beta``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from keytrust.registry import (
    audit,
    graph_admin_api,
    graph_changes_api,
    graph_methods,
    graph_subscriptions_api,
    graph_users,
    keys,
    odata,
    schemas,
)
from keytrust.registry.context import Context, request_id
from keytrust.registry.graph_version import GraphVersion, guid, resolve_user
from keytrust.registry.notification_target import Poster
from keytrust.registry.tokens import ADMINISTRATOR, READER

_METHODS = "/users/{user}/authentication/windowsHelloForBusinessMethods"
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorAnswer, "description": why}
    for status, why in {
        400: "a query option is not supported",
        401: "no valid token",
        403: "the token lacks the role",
        404: "no such user, method or device",
        413: "the body is too large",
        429: "too many requests without a valid token",
        503: "the database does not answer",
    }.items()
}
_SECURITY: dict[str, Any] = {"security": [{"bearer": []}]}

Select = Annotated[str | None, Query(alias="$select")]
Filter = Annotated[str | None, Query(alias="$filter")]
Expand = Annotated[str | None, Query(alias="$expand")]
Top = Annotated[int, Query(alias="$top", ge=1, le=odata.MAX_TOP)]
SkipToken = Annotated[str | None, Query(alias="$skiptoken")]


def router(context: Context, version: str) -> APIRouter:
    """The routes of one version (``v1.0`` or ``beta``), bound to one registry."""
    routes = APIRouter(prefix=f"/{version}", tags=[f"Graph {version}"], responses=_ERRORS)
    graph = GraphVersion(context, version)
    graph_changes_api.add_routes(routes, graph)  # before the users: "delta" is not the name of one
    _add_users(routes, graph)
    _add_methods(routes, graph)
    _add_devices(routes, graph)
    poster = Poster(context.settings.notification_hosts, context.settings.notification_ca_file)
    graph_subscriptions_api.add_routes(routes, graph, poster)
    graph_admin_api.add_routes(routes, graph)
    if version == "beta":
        _add_device_keys(routes, graph)
    return routes


def _add_users(routes: APIRouter, graph: GraphVersion) -> None:
    properties = graph_users.BETA_PROPERTIES if graph.version == "beta" else graph_users.V1_PROPERTIES

    @routes.get("/users", response_model=schemas.Collection, openapi_extra=_SECURITY)
    def list_users(
        request: Request,
        select: Select = None,
        filter_: Filter = None,
        top: Top = odata.DEFAULT_TOP,
        skip_token: SkipToken = None,
    ) -> Response:
        """Users, in pages. ``deviceKeys`` only on request, and only in beta."""
        graph.authorize(request, READER, ("$select", "$filter", "$top", "$skiptoken"))
        names = odata.parse_select(select, properties, graph_users.DEFAULT_PROPERTIES)
        where = odata.parse_filter(filter_, graph_users.FILTERS)
        after = odata.decode_skip_token(skip_token)
        with graph.context.database.read() as connection:
            found, last = graph_users.list_users(connection, names, top=top, after=after, where=where)
        link = graph.next_link(request, "users", last, {"$select": ",".join(names), "$filter": filter_, "$top": top})
        return graph.collection(request, "users", found, link)

    @routes.get("/users/{user}", response_model=dict[str, Any], openapi_extra=_SECURITY)
    def get_user(request: Request, user: str, select: Select = None) -> Response:
        """One user, by id or userPrincipalName."""
        graph.authorize(request, READER, ("$select",))
        names = odata.parse_select(select, properties, graph_users.DEFAULT_PROPERTIES)
        with graph.context.database.read() as connection:
            found = graph_users.get_user(connection, resolve_user(connection, user), names)
        return graph.entity(request, found if found is not None else odata.not_found("The user"))


def _add_methods(routes: APIRouter, graph: GraphVersion) -> None:
    database = graph.context.database

    @routes.get(_METHODS, response_model=schemas.Collection, openapi_extra=_SECURITY)
    def list_methods(request: Request, user: str) -> Response:
        """A user's keys as authentication methods; no key material."""
        graph.authorize(request, READER)
        with database.read() as connection:
            user_id = resolve_user(connection, user)
            rows = keys.keys_of(connection, user_id)
        methods = [graph_methods.method(row) for row in rows]
        return graph.collection(request, f"users('{user_id}')/authentication/windowsHelloForBusinessMethods", methods)

    @routes.get(_METHODS + "/{method}", response_model=dict[str, Any], openapi_extra=_SECURITY)
    def get_method(request: Request, user: str, method: str, expand: Expand = None) -> Response:
        """One key as an authentication method, with its device if ``$expand=device``."""
        graph.authorize(request, READER, ("$expand",))
        if expand not in {None, "device"}:
            odata.bad_request("Only $expand=device is supported.")
        with database.read() as connection:
            kid = guid(method, "The method")
            row = keys.find_key(connection, user_id=resolve_user(connection, user), kid=kid)
        if row is None:
            odata.not_found("The method")
        return graph.entity(request, graph_methods.method(row, with_device=expand is not None))

    @routes.delete(
        _METHODS + "/{method}", status_code=204, response_class=Response, response_model=None, openapi_extra=_SECURITY
    )
    def revoke(request: Request, user: str, method: str) -> Response:
        """Revoke a key."""
        claims = graph.authorize(request, ADMINISTRATOR)
        origin = audit.Origin(claims.actor, graph.context.now(), request_id(request))
        with database.read() as connection:
            user_id = resolve_user(connection, user)
        if not keys.revoke_key(database, user_id=user_id, kid=guid(method, "The method"), origin=origin):
            odata.not_found("The method")
        return Response(status_code=204)


def _add_devices(routes: APIRouter, graph: GraphVersion) -> None:
    @routes.get("/devices", response_model=schemas.Collection, openapi_extra=_SECURITY)
    def list_devices(request: Request, top: Top = odata.DEFAULT_TOP, skip_token: SkipToken = None) -> Response:
        """Devices, in pages."""
        graph.authorize(request, READER, ("$top", "$skiptoken"))
        after = odata.decode_skip_token(skip_token)
        with graph.context.database.read() as connection:
            found, last = graph_methods.list_devices(connection, top=top, after=after)
        link = graph.next_link(request, "devices", last, {"$top": top})
        return graph.collection(request, "devices", found, link)


def _add_device_keys(routes: APIRouter, graph: GraphVersion) -> None:
    @routes.get("/users/{user}/deviceKeys", response_model=schemas.Collection, openapi_extra=_SECURITY)
    def list_device_keys(request: Request, user: str) -> Response:
        """A user's keys with their material."""
        graph.authorize(request, READER)
        with graph.context.database.read() as connection:
            user_id = resolve_user(connection, user)
            entries = graph_users.device_keys(connection, user_id)
        return graph.collection(request, f"users('{user_id}')/deviceKeys", entries)
