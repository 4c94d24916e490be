"""The embedded sign-in: a user's Active Directory password and second factor for a token that registers a key.

The code is looked at first, and only beside a right one is the password shown to a domain controller. So whoever lacks
the second factor learns nothing of the password, and cannot have the account locked out in Active Directory.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from keytrust.directory.password import PasswordVerdict, check_password
from keytrust.errors import DirectoryError
from keytrust.registry import audit, totp
from keytrust.registry.context import Context
from keytrust.registry.sealing import Sealer
from keytrust.registry.settings import SignInSettings
from keytrust.registry.signing_keys import SigningKeys
from keytrust.registry.tables import devices
from keytrust.registry.token_requests import TokenRequestError
from keytrust.registry.users import find_user

METHODS = ("pwd", "otp", "mfa", "ngcmfa")
"""``amr`` of the tokens (RFC 8176); ``ngcmfa`` is what key registration asks for."""

_WRONG = "The name, the password or the code is wrong, or the code was used already."
_STRANGERS = 10_000


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a user gave, and on which device."""

    name: str
    password: str
    code: str
    device_id: str


class SignIn:
    """Checks users of one registry and issues their tokens. Safe to use from many threads."""

    def __init__(self, context: Context, settings: SignInSettings, keys: SigningKeys, sealer: Sealer) -> None:
        self._context = context
        self._settings = settings
        self._keys = keys
        self._sealer = sealer
        self._strangers = _Strangers()

    def token(self, form: Mapping[str, str], resources: Collection[str], request_id: str) -> dict[str, object]:
        """The answer to a token request by a user who has proved themselves.

        Args:
            form: The request's fields.
            resources: The names by which the registration service is known.
            request_id: For the audit trail.

        Raises:
            TokenRequestError: they have not, or may not register keys on this device.
        """
        given = _credentials(form, resources)
        at = self._context.now()
        with self._context.database.read() as connection:
            user = find_user(connection, upn=given.name)
        try:
            self._prove(given, user, at)
            assert user is not None  # noqa: S101 - nobody proves to be a user who does not exist
            claims = self._context.database.transact(
                lambda connection: self._admit(
                    connection, str(user.id), given, audit.Origin(f"user {user.upn}", at, request_id)
                )
            )
        except TokenRequestError as error:
            self._context.log.warning(
                "sign-in refused", user=given.name[:256], why=error.error, code=error.code, request_id=request_id
            )
            raise
        lifetime = int(min(self._context.settings.mfa_max_age, 600))
        now = at // 1_000_000
        standard = {"iss": self._context.settings.token_issuer, "iat": now, "nbf": now, "exp": now + lifetime}
        token = self._keys.sign({**standard, "jti": str(uuid.uuid4()), **claims, "auth_time": now})
        return {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}

    def _prove(self, given: Credentials, user: Row[Any] | None, at: int) -> None:
        """Return if the code and the password are this user's. Nobody learns which of them was wrong."""
        database = self._context.database
        verdict = totp.use_code(database, self._sealer, "" if user is None else str(user.id), given.code, at)
        seconds = verdict.seconds
        if not verdict.right and not seconds:
            with database.read() as connection:
                known = user is not None and totp.find(connection, str(user.id)) is not None
            if not known:
                # Locked like anybody else, or it could be told by this who has a second factor.
                seconds = self._strangers.try_(given.name.casefold(), at // 1_000_000)
        if seconds:
            raise TokenRequestError(429, "temporarily_unavailable", 50053, "Too many failed tries.", seconds)
        if not verdict.right or user is None or user.sid is None:
            raise TokenRequestError(400, "invalid_grant", 50126, _WRONG)
        try:
            password = check_password(self._settings.directory, user.upn, user.sid, given.password)
        except DirectoryError as error:
            self._context.log.warning("no domain controller could be asked for a password", detail=str(error))
            totp.forgive(database, str(user.id))  # it was not their fault
            raise TokenRequestError(
                503, "temporarily_unavailable", 90033, "No domain controller answers. Try again later.", 10
            ) from None
        if password is PasswordVerdict.NOT_NOW:
            raise TokenRequestError(
                400,
                "invalid_grant",
                50055,
                "The account may not sign in now: its password or itself has expired, or is locked.",
            )
        if password is not PasswordVerdict.RIGHT:
            raise TokenRequestError(400, "invalid_grant", 50126, _WRONG)
        totp.forgive(database, str(user.id))

    def _admit(
        self, connection: Connection, user_id: str, given: Credentials, origin: audit.Origin
    ) -> dict[str, object]:
        """The claims about a user who has proved themselves, on a device that is theirs."""
        user = find_user(connection, user_id=user_id)
        if user is None or not user.active:
            raise TokenRequestError(400, "invalid_grant", 50057, "The user is disabled.")
        device = connection.execute(select(devices).where(devices.c.id == given.device_id)).one_or_none()
        if device is None or not device.enabled or device.owner_id not in {None, user_id}:
            raise TokenRequestError(
                400, "invalid_grant", 50155, "The device is not known here, is disabled, or is somebody else's."
            )
        audit.record(connection, origin, "sign in", user_id=user_id, device_id=given.device_id)
        settings = self._context.settings
        return {
            "aud": settings.key_provision_resource,
            "sub": user_id,
            "oid": user_id,
            "upn": user.upn,
            "deviceid": given.device_id,
            "amr": list(METHODS),
            "idtyp": "user",
            "tid": str(settings.tenant_id),
            "ver": "2.0",
        }


class _Strangers:
    """Lockouts of names that have no second factor, in bounded memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def try_(self, name: str, now: int) -> int:
        """Count a failure; the seconds for which the name was locked already."""
        with self._lock:
            failures, locked_until = self._failures.get(name, (0, 0))
            if locked_until > now:
                return locked_until - now
            self._failures[name] = (failures + 1, now + totp.lock_seconds(failures + 1))
            self._failures.move_to_end(name)
            while len(self._failures) > _STRANGERS:
                self._failures.popitem(last=False)
            return 0


def _credentials(form: Mapping[str, str], resources: Collection[str]) -> Credentials:
    for name in ("username", "password", "otp", "device_id"):
        if not form.get(name):
            raise TokenRequestError(400, "invalid_request", 900144, f"The form must contain {name}.")
    asked = form.get("resource") or form.get("scope", "")
    if asked.removesuffix("/.default") not in resources:
        raise TokenRequestError(400, "invalid_scope", 70011, "The scope is not the key registration service's name.")
    name = form["username"]
    if len(name) > 1024 or not name.isprintable():
        raise TokenRequestError(400, "invalid_grant", 50126, _WRONG)
    try:
        device_id = str(UUID(form["device_id"]))
    except ValueError:
        raise TokenRequestError(400, "invalid_request", 900144, "The device_id is not a GUID.") from None
    return Credentials(name, form["password"], form["otp"].replace(" ", "")[:16], device_id)
