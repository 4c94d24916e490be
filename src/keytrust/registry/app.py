"""The registry as an ASGI application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from keytrust.registry import graph_api, kpp_api, oauth_api, odata, schemas
from keytrust.registry.context import Context, client_request_id, request_id
from keytrust.registry.limits import TooManyTries
from keytrust.registry.metrics import CONTENT_TYPE, Metrics
from keytrust.registry.odata import ODataError
from keytrust.registry.registration import RegistrationError
from keytrust.registry.request_log import RequestLog
from keytrust.registry.tables import meta
from keytrust.registry.token_requests import TokenRequestError
from keytrust.registry.tokens import TokenRefused

_RETRY_SECONDS = 5


def create_app(context: Context) -> ASGIApp:
    """The application for one open registry."""
    app = FastAPI(
        title="keytrust registry",
        summary="Windows Hello for Business key registration ([MS-KPP]) and a Graph-shaped read of it",
        docs_url=None,
        redoc_url=None,
    )
    _add_error_answers(app, context)
    _add_health(app, context)
    app.include_router(graph_api.router(context, "v1.0"))
    app.include_router(graph_api.router(context, "beta"))
    app.include_router(kpp_api.router(context))
    if context.signing_keys is not None:
        app.include_router(oauth_api.router(context, context.signing_keys))
    _describe_security(app)
    metrics = Metrics()
    app.add_api_route(
        "/metrics",
        lambda: Response(metrics.exposition(), media_type=CONTENT_TYPE),
        response_class=PlainTextResponse,
        tags=["health"],
    )
    return RequestLog(app, log=context.settings.log_requests, metrics=metrics)


def _add_health(app: FastAPI, context: Context) -> None:
    @app.get("/healthz", response_model=schemas.Health, tags=["health"])
    async def healthz() -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", response_model=schemas.Health, responses={503: {"model": schemas.Health}}, tags=["health"])
    def readyz() -> JSONResponse:
        """The database answers."""
        try:
            with context.database.read() as connection:
                connection.execute(select(meta.c.value).limit(1)).one()
        except SQLAlchemyError:
            return JSONResponse({"status": "unavailable"}, 503)
        return JSONResponse({"status": "ok"})


def _add_error_answers(app: FastAPI, context: Context) -> None:
    def answer(
        request: Request, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> JSONResponse:
        """One refusal, in the words of the API that was addressed."""
        if not request.url.path.startswith(("/v1.0/", "/beta/")):
            error = RegistrationError(status, code, message, "request", headers)
            return kpp_api.refusal(request, error, context.now())
        body = odata.error_body(code, message, request_id(request), client_request_id(request), context.now())
        return JSONResponse(body, status, headers)

    @app.exception_handler(ODataError)
    async def _(request: Request, error: ODataError) -> JSONResponse:
        return answer(request, error.status, error.code, error.message, error.headers)

    @app.exception_handler(RegistrationError)
    async def _(request: Request, error: RegistrationError) -> JSONResponse:
        return kpp_api.refusal(request, error, context.now())

    @app.exception_handler(TokenRequestError)
    async def _(request: Request, error: TokenRequestError) -> JSONResponse:
        return oauth_api.refusal(request, error, context.now())

    @app.exception_handler(TokenRefused)
    async def _(request: Request, error: TokenRefused) -> JSONResponse:
        if error.forbidden:
            return answer(request, 403, "Authorization_RequestDenied", str(error))
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        return answer(request, 401, "InvalidAuthenticationToken", str(error), challenge)

    @app.exception_handler(TooManyTries)
    async def _(request: Request, error: TooManyTries) -> JSONResponse:
        return answer(request, 429, "TooManyRequests", str(error), error.headers)

    @app.exception_handler(InterfaceError)
    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeoutError)
    async def _(request: Request, error: SQLAlchemyError) -> JSONResponse:
        """The database is away or overtaxed. Nothing was changed, and asking again later is right."""
        context.log.error("the database failed", request_id=request_id(request), error=type(error).__name__)
        message = "The database does not answer at the moment; nothing was changed."
        return answer(request, 503, "ServiceUnavailable", message, {"Retry-After": str(_RETRY_SECONDS)})

    @app.exception_handler(Exception)
    async def _(request: Request, _error: Exception) -> JSONResponse:
        return answer(request, 500, "InternalServerError", "The request failed; the log says why.")

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> JSONResponse:
        names = ", ".join(sorted({str(part["loc"][-1])[:64] for part in error.errors()}))
        return answer(request, 400, "BadRequest", f"Invalid value of {names}.")

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> JSONResponse:
        return answer(request, error.status_code, "Request_BadRequest", str(error.detail), dict(error.headers or {}))


def _describe_security(app: FastAPI) -> None:
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        schema = describe()
        schema.setdefault("components", {})["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
