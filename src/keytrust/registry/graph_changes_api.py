"""The routes by which a client keeps in step: ``users/delta``, ``auditLogs/directoryAudits`` and ``$batch``."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from keytrust.registry import delta_tokens, graph_audits, graph_batch, graph_delta, graph_users, odata, schemas
from keytrust.registry.bodies import BodyIncompleteError, BodyTooLargeError, bounded_body
from keytrust.registry.graph_version import GraphVersion
from keytrust.registry.tokens import READER

_SECURITY: dict[str, Any] = {"security": [{"bearer": []}]}
_BATCH: dict[str, Any] = {
    **_SECURITY,
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
}
_PAGE_SIZE = re.compile(r"(?:^|,)\s*odata\.maxpagesize=([0-9]{1,6})\s*(?:$|,)")
_TOKENS = ("$deltatoken", "$deltaToken", "$skiptoken", "$skipToken")


def add_routes(routes: APIRouter, graph: GraphVersion) -> None:
    """Add them to the routes of a version."""
    _add_delta(routes, graph)
    _add_audits(routes, graph)
    _add_batch(routes, graph)


def _add_delta(routes: APIRouter, graph: GraphVersion) -> None:
    properties = graph_users.BETA_PROPERTIES if graph.version == "beta" else graph_users.V1_PROPERTIES
    database = graph.context.database

    @routes.get("/users/delta()", response_model=schemas.DeltaPage, include_in_schema=False)
    @routes.get("/users/delta", response_model=schemas.DeltaPage, openapi_extra=_SECURITY)
    def delta(request: Request, select: Annotated[str | None, Query(alias="$select")] = None) -> Response:
        """Everybody once, then who changed since. The tokens remember what was selected."""
        graph.authorize(request, READER, ("$select", *_TOKENS))
        tokens = [value for name, value in request.query_params.multi_items() if name in _TOKENS]
        base = f"{graph.context.base_url(request)}/{graph.version}/users/delta"
        now = graph.context.now() // 1_000_000
        with database.read() as connection:
            if not tokens or tokens == ["latest"]:
                names = odata.parse_select(select, properties, graph_users.DEFAULT_PROPERTIES)
                state = graph_delta.begin(connection, database.instance, names, now, latest=bool(tokens))
            elif len(tokens) == 1 and select is None:
                state = graph_delta.resume(connection, tokens[0], database.instance, properties, now, base)
            else:
                odata.bad_request("Give either $select or one token.")
            size = _page_size(request.headers.get("prefer", ""))
            found, after, complete = graph_delta.page(connection, state, size, now)
        link = f"{base}?{urlencode({'$deltatoken' if complete else '$skiptoken': delta_tokens.encode(after)})}"
        name = "@odata.deltaLink" if complete else "@odata.nextLink"
        return graph.collection(request, "users", found, link, link_name=name)


def _add_audits(routes: APIRouter, graph: GraphVersion) -> None:
    @routes.get("/auditLogs/directoryAudits", response_model=schemas.Collection, openapi_extra=_SECURITY)
    def directory_audits(
        request: Request,
        filter_: Annotated[str | None, Query(alias="$filter", max_length=1024)] = None,
        top: Annotated[int, Query(alias="$top", ge=1, le=odata.MAX_TOP)] = odata.DEFAULT_TOP,
        before: Annotated[int | None, Query(alias="$skiptoken", ge=1, lt=2**63)] = None,
    ) -> Response:
        """The audit trail, newest first."""
        graph.authorize(request, READER, ("$filter", "$top", "$skiptoken"))
        wanted = graph_audits.parse_filter(filter_)
        with graph.context.database.read() as connection:
            found, following = graph_audits.list_audits(connection, wanted, top=top, before=before)
        link = None
        if following is not None:
            given = {"$filter": filter_, "$top": top, "$skiptoken": following}
            query = urlencode({name: value for name, value in given.items() if value is not None})
            link = f"{graph.context.base_url(request)}/{graph.version}/auditLogs/directoryAudits?{query}"
        return graph.collection(request, "auditLogs/directoryAudits", found, link)


def _add_batch(routes: APIRouter, graph: GraphVersion) -> None:
    @routes.post("/$batch", response_model=schemas.BatchAnswer, openapi_extra=_BATCH)
    async def batch(request: Request) -> Response:
        """Up to 20 requests in one, each with an answer of its own."""
        await run_in_threadpool(graph.authorize, request, READER)
        try:
            body = await bounded_body(request, graph_batch.MAX_BODY)
        except (BodyTooLargeError, BodyIncompleteError) as error:
            odata.bad_request(str(error))
        answers = await graph_batch.run(request.app, request.scope, graph_batch.parse(body), f"/{graph.version}")
        return Response(odata.encode({"responses": answers}), media_type="application/json")


def _page_size(prefer: str) -> int:
    """What ``Prefer: odata.maxpagesize`` asks for, within bounds."""
    match = _PAGE_SIZE.search(prefer)
    return min(max(int(match[1]), 1), odata.MAX_TOP) if match else graph_delta.DEFAULT_PAGE
