"""The Graph-shaped routes by which an administrator changes users and devices, with the role for it."""

from __future__ import annotations

from typing import Any, NoReturn
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from keytrust.cloud import strict_json
from keytrust.registry import audit, devices, graph_methods, graph_users, odata, schemas, users
from keytrust.registry.bodies import BodyIncompleteError, BodyTooLargeError, bounded_body
from keytrust.registry.context import request_id
from keytrust.registry.graph_version import GraphVersion, guid, resolve_user
from keytrust.registry.tables import devices as devices_table
from keytrust.registry.tokens import ADMINISTRATOR, READER

_SECURITY: dict[str, Any] = {"security": [{"bearer": []}]}
_MAX_BODY = 16 * 1024
_EMPTY: dict[str, Any] = {"status_code": 204, "response_class": Response, "response_model": None}


def add_routes(routes: APIRouter, graph: GraphVersion) -> None:
    """Add them to the routes of a version."""
    _add_users(routes, graph)
    _add_devices(routes, graph)


def _add_users(routes: APIRouter, graph: GraphVersion) -> None:
    database = graph.context.database

    @routes.patch("/users/{user}", openapi_extra=_with_body(schemas.UserPatch), **_EMPTY)
    async def change_user(request: Request, user: str) -> Response:
        """Block a user (``accountEnabled`` false), or lift the block. The rest is Active Directory's to say."""
        origin = await run_in_threadpool(_administrator, graph, request)
        wanted = await _patch(request, {"accountEnabled": bool})
        return await run_in_threadpool(_change_user, graph, user, bool(wanted["accountEnabled"]), origin)

    @routes.delete("/users/{user}", openapi_extra=_SECURITY, **_EMPTY)
    def delete_user(request: Request, user: str) -> Response:
        """Delete a user softly. While the account is in Active Directory, the next import restores them."""
        origin = _administrator(graph, request)
        with database.write() as connection:
            users.delete_users(connection, [resolve_user(connection, user)], origin=origin)
        return Response(status_code=204)


def _change_user(graph: GraphVersion, user: str, enable: bool, origin: audit.Origin) -> Response:
    with graph.context.database.read() as connection:
        user_id = resolve_user(connection, user)
        row = users.find_user(connection, user_id=user_id)
    if enable and row is not None and not row.enabled:
        odata.bad_request("The account is disabled in Active Directory: enable it there.")
    if not users.set_blocked(graph.context.database, user_id, not enable, origin=origin):
        odata.not_found("The user")
    return Response(status_code=204)


def _add_devices(routes: APIRouter, graph: GraphVersion) -> None:
    database = graph.context.database

    @routes.get("/devices/{device}", response_model=dict[str, Any], openapi_extra=_SECURITY)
    def get_device(request: Request, device: str) -> Response:
        """One device."""
        graph.authorize(request, READER)
        with database.read() as connection:
            found = graph_methods.get_device(connection, guid(device, "The device"))
        return graph.entity(request, found if found is not None else odata.not_found("The device"))

    @routes.get("/devices/{device}/registeredOwners", response_model=schemas.Collection, openapi_extra=_SECURITY)
    def owners(request: Request, device: str) -> Response:
        """Whose device it is: one user, or nobody if it is shared."""
        graph.authorize(request, READER)
        device_id = guid(device, "The device")
        with database.read() as connection:
            row = connection.execute(select(devices_table).where(devices_table.c.id == device_id)).one_or_none()
            if row is None:
                odata.not_found("The device")
            owner = graph_users.get_user(connection, row.owner_id or "", graph_users.DEFAULT_PROPERTIES)
        people = [] if owner is None else [{"@odata.type": "#microsoft.graph.user", **owner}]
        return graph.collection(request, "directoryObjects", people)

    @routes.patch("/devices/{device}", openapi_extra=_with_body(schemas.DevicePatch), **_EMPTY)
    async def change_device(request: Request, device: str) -> Response:
        """Disable or enable a device, or name it."""
        origin = await run_in_threadpool(_administrator, graph, request)
        wanted = await _patch(request, {"accountEnabled": bool, "displayName": str})
        name = wanted.get("displayName")
        if isinstance(name, str) and not (0 < len(name) <= 256 and name.isprintable()):
            odata.bad_request("displayName has 1 to 256 printable characters.")
        found = await run_in_threadpool(
            devices.change_device,
            database,
            UUID(guid(device, "The device")),
            origin=origin,
            enabled=wanted.get("accountEnabled"),
            display_name=name,
        )
        return Response(status_code=204) if found else odata.not_found("The device")

    @routes.delete("/devices/{device}", openapi_extra=_SECURITY, **_EMPTY)
    def remove_device(request: Request, device: str) -> Response:
        """Remove a device, and revoke the keys on it."""
        origin = _administrator(graph, request)
        if devices.remove_device(database, UUID(guid(device, "The device")), origin=origin) is None:
            odata.not_found("The device")
        return Response(status_code=204)


def _administrator(graph: GraphVersion, request: Request) -> audit.Origin:
    claims = graph.authorize(request, ADMINISTRATOR)
    return audit.Origin(claims.actor, graph.context.now(), request_id(request))


async def _patch(request: Request, known: dict[str, type]) -> dict[str, Any]:
    """The properties to change. Raises ``ODataError`` if there are none, or others than can be changed."""
    try:
        content = strict_json.loads(await bounded_body(request, _MAX_BODY))
    except BodyTooLargeError as error:
        raise odata.ODataError(413, "RequestEntityTooLarge", str(error)) from None
    except (ValueError, BodyIncompleteError):
        _malformed()
    if not isinstance(content, dict) or not content:
        _malformed()
    for name, value in content.items():
        if name not in known:
            odata.bad_request(
                f"Unable to update the property '{name[:64]}': it is mastered in Active Directory, or unknown."
            )
        if not isinstance(value, known[name]):
            odata.bad_request(f"Invalid value of {name}.")
    return content


def _malformed() -> NoReturn:
    odata.bad_request("The body is not a JSON object with a property to change.")


def _with_body(model: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {**_SECURITY, "requestBody": {"required": True, "content": content}}
