"""The parts of OData that the Graph-shaped API speaks: query options, paging tokens, error bodies."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection
from typing import NoReturn
from uuid import UUID

from keytrust.registry import clock

MAX_TOP = 999
DEFAULT_TOP = 100

encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
"""A value to JSON text in which only ASCII occurs."""

_FILTER = re.compile(r"\s*(\w{1,64})\s+eq\s+'((?:[^']|''){0,1024})'\s*")


class ODataError(Exception):
    """A request that cannot be served, as Graph would say it."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers
        self.status = status
        self.code = code
        self.message = message


def bad_request(message: str) -> NoReturn:
    """Raise a 400."""
    raise ODataError(400, "BadRequest", message)


def not_found(what: str) -> NoReturn:
    """Raise a 404."""
    raise ODataError(404, "Request_ResourceNotFound", f"{what} does not exist or was deleted.")


def error_body(code: str, message: str, request_id: str, client_request_id: str, at: int) -> dict[str, object]:
    """The body of an error answer."""
    inner = {"date": clock.iso(at)[:19], "request-id": request_id, "client-request-id": client_request_id}
    return {"error": {"code": code, "message": message, "innerError": inner}}


def parse_select(value: str | None, known: Collection[str], default: tuple[str, ...]) -> tuple[str, ...]:
    """The properties named by ``$select``, in their order, each once.

    Raises:
        ODataError: a name is not a property.
    """
    if value is None or not value.strip():
        return default
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    for name in names:
        if name not in known:
            bad_request(f"Could not find a property named '{name[:64]}'.")
    return names


def parse_filter(value: str | None, known: Collection[str]) -> tuple[str, str] | None:
    """Property and value of a filter of the form ``property eq 'value'``, the only one offered.

    Raises:
        ODataError: it is another one.
    """
    if value is None or not value.strip():
        return None
    match = _FILTER.fullmatch(value)
    if match is None or match[1] not in known:
        bad_request(f"The filter is not supported; use one of {', '.join(sorted(known))} with eq and a quoted value.")
    text = match[2].replace("''", "'")
    if not text.isprintable():
        bad_request("The filter's value has control characters.")
    return match[1], text


def encode_skip_token(last_id: str) -> str:
    """The ``$skiptoken`` of the page after the item with this id."""
    return base64.urlsafe_b64encode(UUID(last_id).bytes).rstrip(b"=").decode()


def decode_skip_token(token: str | None) -> str | None:
    """The id after which the page begins.

    Raises:
        ODataError: it is not one of our tokens.
    """
    if token is None:
        return None
    try:
        if len(token) != 22 or not token.isascii():
            raise ValueError(token)  # noqa: TRY301 - one answer for every kind of damage
        return str(UUID(bytes=base64.b64decode(token + "==", altchars=b"-_", validate=True)))
    except (ValueError, binascii.Error):
        bad_request("The $skiptoken is not one that this service gave out.")
