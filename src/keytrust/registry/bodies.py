"""Request bodies of bounded size."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request


class BodyTooLargeError(Exception):
    """The body is longer than allowed."""


class BodyIncompleteError(Exception):
    """The client went away in the middle of the body."""


async def bounded_body(request: Request, limit: int) -> bytes:
    """The whole body of a request.

    Raises:
        BodyTooLargeError: it has more than ``limit`` bytes; the rest is not read.
        BodyIncompleteError: it broke off.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise BodyTooLargeError(f"the body is longer than {limit} bytes")
    except ClientDisconnect:
        raise BodyIncompleteError("the body is incomplete") from None
    return bytes(body)
