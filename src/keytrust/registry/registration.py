"""Registering a key ([MS-KPP] 3.1.5.1): what is asked of a request, and every way it is refused."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from keytrust.cloud import strict_json
from keytrust.credential import KeyCredentialError, MaterialKind, RsaPublicKey, parse_material, to_rsa1, weaknesses
from keytrust.registry import audit, clock, devices
from keytrust.registry.database import Database
from keytrust.registry.keys import KeyTakenError, register_key
from keytrust.registry.limits import Limits
from keytrust.registry.settings import RegistrySettings
from keytrust.registry.tokens import Claims, TokenRefused, TokenVerifier
from keytrust.registry.users import find_user

MAX_BODY = 16 * 1024
"""Longest accepted request body, bytes. A real one is about 400."""

_RSA_BITS = 2048


class RegistrationError(Exception):
    """A refused registration, as [MS-KPP] 2.2.3.1 ErrorDetails reports it. ``message`` may be shown to anyone."""

    def __init__(
        self, status: int, code: str, message: str, target: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.headers = headers
        self.status = status
        self.code = code
        self.message = message
        self.target = target

    def details(self, client_request_id: str, at: int) -> dict[str, object]:
        """The body of the answer."""
        return {
            "code": self.code,
            "message": self.message,
            "response": "ERROR_FAIL",
            "target": self.target,
            "clientrequestid": client_request_id,
            "time": clock.iso(at),
            "innererror": {"trace": None, "context": None},
        }


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """The parts of a registration request that matter."""

    api_version: str | None
    accept: str | None
    authorization: str | None
    body: bytes
    request_id: str


def register(
    request: KeyRequest,
    settings: RegistrySettings,
    verifier: TokenVerifier,
    limits: Limits,
    database: Database,
    now: clock.Clock,
) -> dict[str, str]:
    """Register the key in a request. The returned body may only be sent because the key is durable by then.

    Raises:
        RegistrationError: the request is refused; nothing was changed.
        TooManyTries: the user has registered too many keys in the last minute; nothing was changed.
    """
    if request.api_version != "1.0":
        raise RegistrationError(400, "invalid_request", "api-version must be 1.0", "api-version")
    if not _accepts_json(request.accept):
        raise RegistrationError(400, "invalid_request", "Accept must be application/json", "Accept")
    at = now()
    claims = _verified(request.authorization, settings, verifier, at)
    device_id = _device_id(claims)
    material = acceptable_material(request.body)
    limits.count_registration(claims.actor.casefold())
    origin = audit.Origin(claims.actor, at, request.request_id)

    def enter(connection: Connection) -> dict[str, str]:
        user = _usable_user(connection, claims)
        if not devices.lock_usable(connection, device_id):
            raise RegistrationError(401, "device_not_found", "the device is not known, or is disabled", "deviceid")
        try:
            entered = register_key(connection, user_id=user.id, device_id=device_id, material=material, origin=origin)
        except KeyTakenError:
            why = "the key belongs to another user or device"
            raise RegistrationError(400, "key_already_registered", why, "kngc") from None
        return {"kid": entered.kid, "upn": user.upn}

    return database.transact(enter)


def _usable_user(connection: Connection, claims: Claims) -> Row[Any]:
    user = find_user(connection, user_id=claims.text("oid"), upn=claims.text("upn"))
    if user is None:
        raise RegistrationError(400, "user_not_found", "the user of the token is not known here", "upn")
    if not user.active:
        raise RegistrationError(401, "user_disabled", "the user is disabled", "upn")
    return user


def _accepts_json(accept: str | None) -> bool:
    offers = {offer.split(";")[0].strip().lower() for offer in (accept or "").split(",")}
    return not offers.isdisjoint({"application/json", "application/*", "*/*"})


def _verified(authorization: str | None, settings: RegistrySettings, verifier: TokenVerifier, at: int) -> Claims:
    try:
        claims = verifier.verify(authorization, audience=settings.key_provision_resource, purpose="register")
    except TokenRefused as error:
        raise RegistrationError(401, "invalid_token", str(error), "Authorization") from None
    if "ngcmfa" not in claims.texts("amr"):
        raise RegistrationError(401, "mfa_required", "amr must contain ngcmfa", "amr")
    authenticated = claims.second_factor_time()
    now = at / 1e6
    # Written so that a time which is no number at all is refused as well.
    if authenticated is None or not now - settings.mfa_max_age <= authenticated <= now + settings.leeway:
        raise RegistrationError(401, "mfa_expired", "the second factor is not fresh", "auth_time")
    if claims.text("oid") is None and claims.text("upn") is None:
        raise RegistrationError(401, "invalid_token", "the token names no user (oid or upn)", "upn")
    return claims


def _device_id(claims: Claims) -> str:
    try:
        return str(UUID(claims.text("deviceid") or ""))
    except ValueError:
        raise RegistrationError(401, "device_required", "the token names no device (deviceid)", "deviceid") from None


def acceptable_material(body: bytes) -> bytes:
    """The key material of a request body: RSA-2048, in the one form that is written to the directory.

    Raises:
        RegistrationError: it is another key, a weak one, or none.
    """
    try:
        content = strict_json.loads(body)
    except ValueError:
        raise _bad_key("the body is not JSON") from None
    encoded = content.get("kngc") if isinstance(content, dict) else None
    if not isinstance(encoded, str) or not encoded:
        raise _bad_key("kngc is missing")
    try:
        material = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _bad_key("kngc is not base64") from None
    try:
        parsed = parse_material(material)
    except KeyCredentialError as error:
        raise _bad_key(f"kngc is not a BCRYPT_RSAKEY_BLOB: {error}") from None
    key = parsed.public_key
    if parsed.kind is not MaterialKind.RSA1 or not isinstance(key, RsaPublicKey):
        raise _bad_key("kngc is not a BCRYPT_RSAKEY_BLOB")
    if key.bits != _RSA_BITS:
        raise _bad_key(f"the key has {key.bits} bits, not {_RSA_BITS}")
    found = weaknesses(key.n, key.e)
    if found:
        raise RegistrationError(400, "weak_key", f"the key is not safe ({', '.join(found)})", "kngc")
    if to_rsa1(key.n, key.e) != material:
        # Leading zeros and the like would let one key be registered under several hashes.
        raise _bad_key("kngc is not in its canonical form")
    return material


def _bad_key(message: str) -> RegistrationError:
    return RegistrationError(400, "invalid_request", message, "kngc")
