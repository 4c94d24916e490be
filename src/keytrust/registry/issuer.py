"""A small token issuer, for sites and tests that have no OpenID Connect provider of their own."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keytrust.errors import RegistryError
from keytrust.registry.jwk import public_jwk
from keytrust.registry.settings import TrustedIssuer
from keytrust.registry.tokens import ADMINISTRATOR, READER

Algorithm = Literal["RS256", "ES256"]

_KEY_FILE = "signing-key.pem"
_KEY_SET_FILE = "jwks.json"


class Issuer:
    """Issues tokens signed by a key that lives in a directory (private key mode 0600, public key set beside it).

    Open one with ``Issuer.open``.
    """

    def __init__(
        self, directory: Path, name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, now: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._name = name
        self._key = key
        self._now = now
        self._algorithm: Algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        self._public = public_jwk(key.public_key(), self._algorithm)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        name: str = "urn:keytrust:issuer",
        algorithm: Algorithm = "RS256",
        now: Callable[[], float] = time.time,
    ) -> Issuer:
        """Open the issuer in a directory; its key is made the first time.

        Args:
            directory: Where the key lives; created with mode 0700 if missing.
            name: The ``iss`` of its tokens.
            algorithm: For a new key; an existing one keeps its own.
            now: The clock, seconds since 1970.

        Raises:
            RegistryError: the key cannot be read or made.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            key_file = directory / _KEY_FILE
            if not key_file.exists():
                _create(key_file, _new_key(algorithm))
            key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
            if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
                raise ValueError("it is neither an RSA nor an EC key")  # noqa: TRY004, TRY301 - its content is at fault
            issuer = cls(directory, name, key, now)
            _replace(directory / _KEY_SET_FILE, json.dumps(issuer.key_set()).encode())
        except (OSError, ValueError, TypeError) as error:
            raise RegistryError(
                f"the issuer's signing key in {directory} cannot be used",
                not_done="no token can be issued",
                remedy="check that the directory may be read and written by this user; move a damaged key away",
                detail=str(error),
            ) from error
        return issuer

    def __repr__(self) -> str:
        return f"Issuer({self._name!r})"

    def key_set(self) -> dict[str, object]:
        """The public JSON Web Key Set."""
        return {"keys": [self._public]}

    def trusted(self) -> TrustedIssuer:
        """What a registry's settings need in order to trust this issuer."""
        return TrustedIssuer(issuer=self._name, jwks_file=self._directory / _KEY_SET_FILE)

    def device_token(
        self,
        *,
        audience: str,
        upn: str,
        device_id: UUID,
        user_id: str | None = None,
        methods: Iterable[str] = ("pwd", "ngcmfa"),
        authenticated: float | None = None,
        lifetime: float = 600.0,
    ) -> str:
        """A token with which a user on a device registers a key.

        Args:
            audience: The registry's KeyProvisionResourceId.
            upn: The user.
            device_id: The device.
            user_id: The user's id (``oid``), if known.
            methods: ``amr``.
            authenticated: When the second factor was given, seconds since 1970; by default now.
            lifetime: Seconds.
        """
        claims: dict[str, object] = {
            "upn": upn,
            "deviceid": str(device_id),
            "amr": list(methods),
            "auth_time": int(self._now() if authenticated is None else authenticated),
            "sub": user_id or upn,
        }
        if user_id is not None:
            claims["oid"] = user_id
        return self.sign({**claims, "aud": audience}, lifetime=lifetime)

    def reader_token(self, *, audience: str, lifetime: float = 3600.0, application: str = "keytrust") -> str:
        """A token with which an application reads users and keys; ``audience`` is the registry's graph resource."""
        return self._application_token(audience, application, [READER], lifetime)

    def administrator_token(
        self, *, audience: str, lifetime: float = 3600.0, application: str = "administrator"
    ) -> str:
        """A token with which an application also revokes keys."""
        return self._application_token(audience, application, [READER, ADMINISTRATOR], lifetime)

    def sign(self, claims: dict[str, object], *, lifetime: float = 600.0) -> str:
        """A token with these claims beside ``iss``, ``iat``, ``nbf``, ``exp`` and ``jti``; given ones win."""
        now = int(self._now())
        standard = {"iss": self._name, "iat": now, "nbf": now, "exp": now + int(lifetime), "jti": str(uuid4())}
        headers = {"kid": str(self._public["kid"])}
        return jwt.encode({**standard, **claims}, self._key, algorithm=self._algorithm, headers=headers)

    def _application_token(self, audience: str, application: str, roles: list[str], lifetime: float) -> str:
        return self.sign({"aud": audience, "appid": application, "sub": application, "roles": roles}, lifetime=lifetime)


def _new_key(algorithm: Algorithm) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _create(path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """Write a private key that is complete and private from the moment it has its name; the first of two wins."""
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    temporary = _write_beside(path, data)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def _replace(path: Path, data: bytes) -> None:
    temporary = _write_beside(path, data)
    temporary.chmod(0o644)
    temporary.replace(path)


def _write_beside(path: Path, data: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
