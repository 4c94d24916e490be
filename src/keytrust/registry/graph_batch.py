"""``$batch``: up to 20 requests in one (OData JSON batch format), each answered on its own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message, Scope

from keytrust.cloud import strict_json
from keytrust.log import logger
from keytrust.registry.odata import bad_request

MAX_REQUESTS = 20
MAX_BODY = 256 * 1024
_PASSED_ON = (b"authorization", b"host", b"client-request-id")


@dataclass(frozen=True, slots=True)
class Step:
    """One inner request."""

    id: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    body: bytes = b""


def parse(body: bytes) -> list[Step]:
    """The inner requests.

    Raises:
        ODataError: the body is not a batch, or has too many requests or an id twice.
    """
    try:
        content = strict_json.loads(body)
    except ValueError:
        bad_request("The body is not JSON.")
    requests = content.get("requests") if isinstance(content, dict) else None
    if not isinstance(requests, list) or not requests:
        bad_request("The batch has no list of requests.")
    if len(requests) > MAX_REQUESTS:
        bad_request(f"The number of batch request steps exceeds the maximum value of {MAX_REQUESTS}.")
    steps = [_step(each) for each in requests]
    seen: set[str] = set()
    for step in steps:
        if step.id in seen:
            bad_request("The batch names a request id twice.")
        if not seen.issuperset(step.depends_on):
            bad_request("The batch has a request that depends on one which does not come before it.")
        seen.add(step.id)
    return steps


async def run(app: ASGIApp, outer: Scope, steps: list[Step], prefix: str) -> list[dict[str, object]]:
    """Serve the requests in their order by the application itself, with the outer request's token."""
    answers: dict[str, dict[str, object]] = {}
    for step in steps:
        failed = [name for name in step.depends_on if int(str(answers[name]["status"])) >= 400]
        if failed:
            answers[step.id] = _refused(step, 424, "FailedDependency", "A request that this one depends on failed.")
        elif urlsplit(step.url).path.lower().strip("/") == "$batch":
            answers[step.id] = _refused(step, 400, "BadRequest", "A batch cannot contain a batch.")
        else:
            answers[step.id] = await _serve(app, outer, step, prefix)
    return list(answers.values())


def _step(each: object) -> Step:
    if not isinstance(each, dict):
        bad_request("The batch has a request that is not an object.")
    name, method, url = each.get("id"), each.get("method"), each.get("url")
    headers, depends = each.get("headers") or {}, each.get("dependsOn") or []
    if not isinstance(name, str) or not 0 < len(name) <= 64 or not isinstance(method, str) or not method.isalpha():
        bad_request("The batch has a request without an id or a method.")
    if not isinstance(url, str) or not 0 < len(url) <= 8192 or not url.isprintable() or "://" in url.partition("?")[0]:
        bad_request("The batch has a request whose url is not relative to the service's version.")
    if not isinstance(headers, dict) or not all(
        isinstance(text, str) and text.isprintable() and text.isascii() for pair in headers.items() for text in pair
    ):
        bad_request("The batch has a request with malformed headers.")
    if not isinstance(depends, list) or not all(isinstance(other, str) for other in depends):
        bad_request("The batch has a request with malformed dependsOn.")
    body = json.dumps(each["body"]).encode() if "body" in each else b""
    return Step(name, method.upper(), url, headers, tuple(depends), body)


async def _serve(app: ASGIApp, outer: Scope, step: Step, prefix: str) -> dict[str, object]:
    target = urlsplit("/" + step.url.lstrip("/"))
    own = [(name.lower().encode(), value.encode()) for name, value in step.headers.items()]
    passed_on = [pair for pair in outer["headers"] if pair[0] in _PASSED_ON]
    scope: Scope = {
        "type": "http",
        "asgi": outer["asgi"],
        "http_version": "1.1",
        "scheme": outer["scheme"],
        "server": outer["server"],
        "client": outer["client"],
        "root_path": "",
        "method": step.method,
        "path": unquote(prefix + target.path),
        "raw_path": (prefix + target.path).encode(),
        "query_string": target.query.encode(),
        "headers": passed_on + [pair for pair in own if pair[0] not in _PASSED_ON],
        "keytrust.request_id": str(uuid.uuid4()),
    }
    status, headers, body = 500, {}, b""

    async def receive() -> Message:
        return {"type": "http.request", "body": step.body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            body += message.get("body", b"")

    try:
        await app(scope, receive, send)
    except Exception:
        logger().exception("request failed", request_id=scope["keytrust.request_id"], path=scope["path"][:256])
        return _refused(step, 500, "InternalServerError", "The request failed; the log says why.")
    headers.pop("content-length", None)
    return {"id": step.id, "status": status, "headers": headers, **({"body": json.loads(body)} if body else {})}


def _refused(step: Step, status: int, code: str, message: str) -> dict[str, Any]:
    return {"id": step.id, "status": status, "headers": {}, "body": {"error": {"code": code, "message": message}}}
