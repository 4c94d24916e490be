"""The routes by which applications and users get tokens: OpenID discovery, the key set, the token endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from keytrust.registry import clock, discovery, schemas, token_requests
from keytrust.registry.bodies import BodyIncompleteError, BodyTooLargeError, bounded_body
from keytrust.registry.context import Context, client_request_id, peer, request_id
from keytrust.registry.limits import TooManyTries
from keytrust.registry.sealing import Sealer
from keytrust.registry.sign_in import SignIn
from keytrust.registry.signing_keys import SigningKeys
from keytrust.registry.token_requests import TokenRequest, TokenRequestError

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.TokenError, "description": why}
    for status, why in {
        400: "the request is not acceptable",
        401: "the application is not who it says",
        404: "no such tenant",
        413: "the body is too large",
        429: "too many failed tries from this address, or for this account",
        503: "neither the database nor, for a user, a domain controller may be missing",
    }.items()
}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": schemas.TokenForm.model_json_schema()}},
    }
}
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def router(context: Context, keys: SigningKeys) -> APIRouter:
    """The routes, bound to one registry that signs tokens."""
    routes = APIRouter(tags=["tokens"], responses=_ERRORS)
    offered = context.settings.sign_in
    directory = context.settings.signing_keys
    sign_in = None
    if offered is not None and directory is not None:
        sign_in = SignIn(context, offered, keys, Sealer(directory))

    @routes.get("/{tenant}/.well-known/openid-configuration")
    @routes.get("/{tenant}/v2.0/.well-known/openid-configuration")
    def configuration(request: Request, tenant: str) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0."""
        base = f"{context.base_url(request)}/{_tenant(context, tenant)}"
        return {
            "issuer": context.settings.token_issuer,
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "grant_types_supported": ["client_credentials", *(["password"] if sign_in is not None else [])],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
            "response_types_supported": ["token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    @routes.get("/{tenant}/discovery/v2.0/keys")
    def key_set(tenant: str) -> dict[str, Any]:
        """The public keys of the registry's tokens."""
        _tenant(context, tenant)
        return keys.key_set()

    @routes.post("/{tenant}/oauth2/token", response_model=schemas.TokenAnswer, openapi_extra=_FORM)
    @routes.post("/{tenant}/oauth2/v2.0/token", response_model=schemas.TokenAnswer, openapi_extra=_FORM)
    async def token(request: Request, tenant: str) -> JSONResponse:
        """A token for an application (client credentials) or, where it is offered, a user on a device (password)."""
        names = {_tenant(context, tenant), tenant, context.settings.tenant_name}
        try:
            body = await bounded_body(request, token_requests.MAX_BODY)
        except BodyTooLargeError as error:
            raise TokenRequestError(413, "invalid_request", 900144, str(error)) from None
        except BodyIncompleteError as error:
            raise TokenRequestError(400, "invalid_request", 900144, str(error)) from None
        form = token_requests.parse_form(body, request.headers.get("authorization"))
        if sign_in is not None and form.get("grant_type") == "password":
            resources = {context.settings.key_provision_resource}
            answer = await run_in_threadpool(
                _signed_in, context, sign_in, peer(request), form, resources, request_id(request)
            )
            return JSONResponse(answer, headers=_NO_STORE)
        asked = TokenRequest(
            form=form,
            endpoints=_endpoints(context, request, names),
            resources={context.settings.graph_resource, context.settings.url, context.base_url(request)},
        )
        answer = await run_in_threadpool(_answer, context, keys, peer(request), asked)
        return JSONResponse(answer, headers=_NO_STORE)

    return routes


def refusal(request: Request, error: TokenRequestError, at: int) -> JSONResponse:
    """The answer to a refused token request, as Entra ID words it."""
    body = {
        "error": error.error,
        "error_description": f"AADSTS{error.code}: {error.message} Trace ID: {request_id(request)}",
        "error_codes": [error.code],
        "timestamp": clock.iso(at)[:19] + "Z",
        "trace_id": request_id(request),
        "correlation_id": client_request_id(request),
    }
    headers = dict(_NO_STORE)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse(body, error.status, headers)


def _answer(context: Context, keys: SigningKeys, address: str, asked: TokenRequest) -> dict[str, object]:
    account = f"application {asked.form.get('client_id', '')}"
    _count_guess(context, address, account)
    with context.database.read() as connection:
        application = token_requests.check(asked, connection)
    context.limits.forgive_guess(address, account)
    return token_requests.issue(application, context.settings, keys)


def _signed_in(
    context: Context, sign_in: SignIn, address: str, form: Mapping[str, str], resources: set[str], request_id: str
) -> dict[str, object]:
    account = f"user {form.get('username', '')}"
    _count_guess(context, address, account)
    answer = sign_in.token(form, resources, request_id)
    context.limits.forgive_guess(address, account)
    return answer


def _count_guess(context: Context, address: str, account: str) -> None:
    try:
        context.limits.count_guess(address, account)
    except TooManyTries as error:
        raise TokenRequestError(429, "temporarily_unavailable", 90055, str(error), error.seconds) from None


def _endpoints(context: Context, request: Request, tenants: set[str]) -> set[str]:
    """Every name of the token endpoint, for an assertion's audience."""
    bases = {context.settings.url, context.base_url(request)}
    return {f"{base}/{tenant}/oauth2/v2.0/token" for base in bases for tenant in tenants}


def _tenant(context: Context, tenant: str) -> str:
    if not discovery.knows_tenant(context.settings, tenant):
        raise TokenRequestError(404, "invalid_tenant", 90002, "This tenant is not served here.")
    return str(context.settings.tenant_id)
