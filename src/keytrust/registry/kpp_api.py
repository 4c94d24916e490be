"""The routes that devices use: discovery and key registration."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from keytrust.registry import discovery, registration, schemas
from keytrust.registry.bodies import BodyIncompleteError, BodyTooLargeError, bounded_body
from keytrust.registry.context import Context, client_request_id, peer, request_id
from keytrust.registry.registration import KeyRequest, RegistrationError

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.KppError, "description": why}
    for status, why in {
        400: "the request, the key or the user is not acceptable",
        401: "the token's claims are not",
        413: "the body is too large",
        429: "too many refused requests from this address, or registrations by this user",
        503: "the database does not answer",
    }.items()
}
_REQUEST_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schemas.KeyRequestBody.model_json_schema()}},
    },
    "security": [{"bearer": []}],
}


def router(context: Context) -> APIRouter:
    """The routes, bound to one registry."""
    routes = APIRouter(tags=["devices"])

    @routes.get("/{tenant}/Discover", responses={404: _ERRORS[400], 400: _ERRORS[400]})
    def discover(
        request: Request, tenant: str, api_version: Annotated[str | None, Query(alias="api-version")] = None
    ) -> dict[str, Any]:
        """The discovery document ([MS-DVRD])."""
        if api_version not in discovery.API_VERSIONS:
            raise RegistrationError(400, "invalid_request", "api-version must be 1.0 to 1.9", "api-version")
        if not discovery.knows_tenant(context.settings, tenant):
            raise RegistrationError(404, "tenant_not_found", "the tenant is not served here", "tenant")
        return discovery.document(context.settings, context.base_url(request))

    @routes.post(
        "/EnrollmentServer/key/", response_model=schemas.KeyAnswer, responses=_ERRORS, openapi_extra=_REQUEST_BODY
    )
    async def register_key(
        request: Request, api_version: Annotated[str | None, Query(alias="api-version")] = None
    ) -> JSONResponse:
        """Register a key ([MS-KPP] 3.1.5.1)."""
        key_request = KeyRequest(
            api_version=api_version,
            accept=request.headers.get("accept"),
            authorization=request.headers.get("authorization"),
            body=await _bounded_body(request),
            request_id=request_id(request),
        )
        return JSONResponse(await run_in_threadpool(_register, context, peer(request), key_request))

    return routes


def refusal(request: Request, error: RegistrationError, at: int) -> JSONResponse:
    """The answer to a refused registration."""
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if error.status == 401 else {}
    headers.update(error.headers or {})
    return JSONResponse(error.details(client_request_id(request), at), error.status, headers)


def _register(context: Context, address: str, key_request: KeyRequest) -> dict[str, str]:
    try:
        return registration.register(
            key_request, context.settings, context.verifier, context.limits, context.database, context.now
        )
    except RegistrationError as error:
        if error.status == 401:
            context.limits.count_refusal(address)
        raise


async def _bounded_body(request: Request) -> bytes:
    try:
        return await bounded_body(request, registration.MAX_BODY)
    except BodyTooLargeError as error:
        raise RegistrationError(413, "invalid_request", str(error), "body") from None
    except BodyIncompleteError as error:
        raise RegistrationError(400, "invalid_request", str(error), "body") from None
