"""Client credentials (RFC 6749, 4.4): which requests get a token, and every way they are refused.

Refusals carry the codes that Microsoft Entra ID uses for the same cause, which its clients know.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import jwt
from cryptography.hazmat.primitives.hashes import SHA1
from sqlalchemy import Connection

from keytrust.registry import applications
from keytrust.registry.applications import Application
from keytrust.registry.settings import RegistrySettings
from keytrust.registry.signing_keys import SigningKeys

LIFETIME = 3600
"""How long a token lives, seconds."""
MAX_BODY = 32 * 1024
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_MAX_ASSERTION_LIFE = 86_400.0
_LEEWAY = 60.0


class TokenRequestError(Exception):
    """A refused token request (RFC 6749, 5.2). ``retry_after`` in seconds, for status 429."""

    def __init__(self, status: int, error: str, code: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.code = code
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The parts of a token request that matter, and by which names the endpoint and the service are known."""

    form: Mapping[str, str]
    endpoints: Collection[str]
    resources: Collection[str]


def parse_form(body: bytes, authorization: str | None) -> dict[str, str]:
    """The form's fields; the application's name and secret may come as Basic credentials instead (RFC 6749, 2.3.1).

    Raises:
        TokenRequestError: it is not a form, or names a field twice.
    """
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:
        raise TokenRequestError(400, "invalid_request", 900144, "The body is not a form.") from None
    form = dict(fields)
    if len(form) != len(fields):
        raise TokenRequestError(400, "invalid_request", 900144, "The form names a field twice.")
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (ValueError, binascii.Error):
            raise TokenRequestError(400, "invalid_request", 900144, "The Basic credentials are damaged.") from None
        if "client_secret" in form or form.get("client_id", unquote_plus(name)) != unquote_plus(name):
            raise TokenRequestError(400, "invalid_request", 900144, "The application is named twice.")
        form |= {"client_id": unquote_plus(name), "client_secret": unquote_plus(secret)}
    return form


def check(request: TokenRequest, connection: Connection) -> Application:
    """The application that a request is proved to come from.

    Raises:
        TokenRequestError: the request is refused.
    """
    form = request.form
    if form.get("grant_type") != "client_credentials":
        raise TokenRequestError(
            400, "unsupported_grant_type", 70003, "The grant_type is not supported: only client_credentials is."
        )
    for name in ("client_id", "scope"):
        if not form.get(name):
            raise TokenRequestError(400, "invalid_request", 900144, f"The form must contain {name}.")
    resource = form["scope"].removesuffix("/.default").rstrip("/")
    if not form["scope"].endswith("/.default") or resource not in request.resources:
        raise TokenRequestError(400, "invalid_scope", 70011, "The scope is not this service's name and /.default.")
    if "client_assertion" in form and "client_secret" not in form:
        return _check_assertion(request, connection)
    if not form.get("client_secret") or "client_assertion" in form:
        raise TokenRequestError(
            401, "invalid_client", 7000218, "The form must contain either client_secret or client_assertion."
        )
    found = applications.check_secret(connection, form["client_id"][:64], form["client_secret"][:1024])
    if found is None:
        raise TokenRequestError(401, "invalid_client", 7000215, "Invalid client secret provided, or no such client.")
    return found


def issue(application: Application, settings: RegistrySettings, keys: SigningKeys) -> dict[str, object]:
    """The answer with a token for an application."""
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": settings.token_issuer,
        "aud": settings.graph_resource,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "jti": str(uuid.uuid4()),
        "sub": application.id,
        "oid": application.id,
        "azp": application.id,
        "appid": application.id,
        "app_displayname": application.name,
        "idtyp": "app",
        "tid": str(settings.tenant_id),
        "roles": list(application.roles),
        "ver": "2.0",
    }
    return {
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "ext_expires_in": LIFETIME,
        "access_token": keys.sign(claims),
    }


def _check_assertion(request: TokenRequest, connection: Connection) -> Application:
    """A signed assertion (RFC 7523), as azure-identity makes it with a certificate."""
    form = request.form
    refused = TokenRequestError(401, "invalid_client", 700027, "The client assertion is not valid.")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise TokenRequestError(400, "invalid_request", 900144, "The client_assertion_type is not supported.")
    found = applications.find_application(connection, form["client_id"][:64])
    if found is None or found.certificate is None:
        raise refused
    now = datetime.now(UTC)
    if not found.certificate.not_valid_before_utc <= now <= found.certificate.not_valid_after_utc:
        raise TokenRequestError(401, "invalid_client", 700027, "The client's certificate is not valid at this time.")
    key: Any = found.certificate.public_key()
    try:
        token = jwt.decode_complete(
            form["client_assertion"],
            key,
            algorithms=["RS256", "PS256"],
            audience=list(request.endpoints),
            issuer=found.id,
            subject=found.id,
            leeway=_LEEWAY,
            options={"require": ["exp", "iss", "sub", "aud"]},
        )
        if float(token["payload"]["exp"]) > time.time() + _MAX_ASSERTION_LIFE:
            raise refused
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise refused from None
    if not _names(token["header"], found):
        raise refused
    return found


def _names(header: Mapping[str, object], application: Application) -> bool:
    """Whether the thumbprints in an assertion's header, if any, are the certificate's (RFC 7515, 4.1.7 and 4.1.8)."""
    certificate = application.certificate
    if certificate is None:
        return False
    wanted = {"x5t#S256": applications.thumbprint(certificate), "x5t": certificate.fingerprint(SHA1())}  # noqa: S303
    return all(
        isinstance(given, str)
        and hmac.compare_digest(given.rstrip("=").encode(), base64.urlsafe_b64encode(print_).rstrip(b"="))
        for name, print_ in wanted.items()
        if (given := header.get(name)) is not None
    )
