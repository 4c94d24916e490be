"""What the Graph-shaped routes share: who may call, how a collection is answered, how a user is named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import Connection

from keytrust.registry import odata
from keytrust.registry.context import Context, peer
from keytrust.registry.tokens import Claims, TokenRefused
from keytrust.registry.users import find_user


@dataclass(frozen=True, slots=True)
class GraphVersion:
    """One version (``v1.0`` or ``beta``) of the API of one registry."""

    context: Context
    version: str

    def authorize(self, request: Request, role: str, options: Iterable[str] = ()) -> Claims:
        """The caller's claims.

        Args:
            request: The request.
            role: What the token's roles must include.
            options: The OData query options that the route understands. Any other is an error: one that is silently
                ignored would make an answer look like something it is not.

        Raises:
            TokenRefused: no valid token, or not the role.
            TooManyTries: no valid token, once more.
            ODataError: another query option.
        """
        context = self.context
        try:
            claims = context.verifier.verify(
                request.headers.get("authorization"), audience=context.settings.graph_resource, purpose="graph"
            )
        except TokenRefused:
            context.limits.count_refusal(peer(request))
            raise
        if role not in claims.texts("roles"):
            raise TokenRefused(f"the token lacks the role {role}", forbidden=True)
        for name in request.query_params:
            if name.startswith("$") and name not in options:
                odata.bad_request(f"The query option {name[:64]} is not supported here.")
        return claims

    def collection(
        self,
        request: Request,
        name: str,
        items: Sequence[Mapping[str, object]],
        link: str | None = None,
        *,
        link_name: str = "@odata.nextLink",
    ) -> Response:
        """A page of items."""
        body: dict[str, object] = {
            "@odata.context": f"{self.context.base_url(request)}/{self.version}/$metadata#{name}"
        }
        if link is not None:
            body[link_name] = link
        return Response(odata.encode({**body, "value": items}), media_type="application/json")

    def entity(self, request: Request, content: Mapping[str, object]) -> Response:
        """One item, with an ETag; 304 without a body if the client has this version already (RFC 9110, 13.1.2)."""
        body = odata.encode(content).encode()
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if etag.removeprefix("W/") in known or "*" in known:
            return Response(status_code=304, headers={"ETag": etag})
        return Response(body, media_type="application/json", headers={"ETag": etag})

    def next_link(self, request: Request, path: str, after: str | None, options: Mapping[str, object]) -> str | None:
        """The link to the page after the item with the id ``after``; None if there is none."""
        if after is None:
            return None
        given = {name: str(value) for name, value in options.items() if value is not None}
        query = urlencode({**given, "$skiptoken": odata.encode_skip_token(after)})
        return f"{self.context.base_url(request)}/{self.version}/{path}?{query}"


def resolve_user(connection: Connection, user: str) -> str:
    """The id of the user named by id or userPrincipalName. Raises ``ODataError`` if there is none."""
    try:
        row = find_user(connection, user_id=str(UUID(user)))
    except ValueError:
        row = find_user(connection, upn=user) if 0 < len(user) <= 1024 and user.isprintable() else None
    return str(row.id) if row is not None else _no_user()


def guid(text: str, what: str) -> str:
    """A GUID of a path in its stored form. Raises ``ODataError`` (404, as Graph does) if it is none."""
    try:
        return str(UUID(text))
    except ValueError:
        odata.not_found(what)


def _no_user() -> NoReturn:
    odata.not_found("The user")
