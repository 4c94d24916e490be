"""Applications that may ask for tokens: entering and removing them, and checking who they say they are."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from keytrust.errors import RegistryError
from keytrust.registry import audit, clock, subscriptions
from keytrust.registry.database import Database
from keytrust.registry.tables import applications
from keytrust.registry.tokens import ADMINISTRATOR, READER

ROLES = frozenset({READER, ADMINISTRATOR})
_MIN_BITS = 2048
_NOT_DONE = "nothing was entered"
_COST = {"n": 2**14, "r": 8, "p": 1}  # 16 MiB and some 40 ms for each try
_FIND = select(applications).where(applications.c.id == bindparam("id"))
_NOBODY = b"\0" * 16 + b"\0" * 32
"""Compared with when there is no such application or secret, so that this takes as long as a wrong secret."""


@dataclass(frozen=True, slots=True)
class Application:
    """An application. ``certificate`` is None if it proves itself by a secret.

    Attributes:
        id: Its client id.
        name: What people call it.
        roles: What its tokens allow.
        certificate: The certificate that it signs assertions with.
        created: When it was entered, microseconds since 1970.
    """

    id: str
    name: str
    roles: tuple[str, ...]
    certificate: x509.Certificate | None
    created: int


def add_application(
    database: Database,
    name: str,
    *,
    roles: Collection[str] = (READER,),
    certificate: x509.Certificate | None = None,
    actor: str = "administrator",
) -> tuple[Application, str | None]:
    """Enter an application.

    Args:
        database: The registry's database.
        name: What people call it.
        roles: Of ``ROLES``.
        certificate: What it will sign with; without one it gets a secret.
        actor: Who enters it, for the audit trail.

    Returns:
        It, and its secret (256 random bits; only a hash is kept, so nobody can show it again), None with a certificate.

    Raises:
        RegistryError: an unknown role, a bad name, or a certificate that is too weak.
    """
    if not roles or not ROLES.issuperset(roles):
        raise RegistryError(f"roles are {' and '.join(sorted(ROLES))}", not_done=_NOT_DONE)
    if not (0 < len(name) <= 256 and name.isprintable()):
        raise RegistryError("an application's name has 1 to 256 printable characters", not_done=_NOT_DONE)
    if certificate is not None:
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _MIN_BITS:
            raise RegistryError(
                "the certificate's key is not RSA of at least 2048 bits",
                not_done=_NOT_DONE,
                remedy="give one that is: azure-identity signs with RSA",
            )
    origin = audit.Origin(actor, clock.now())
    secret = None if certificate is not None else secrets.token_urlsafe(32)
    made = Application(str(uuid.uuid4()), name, tuple(sorted(roles)), certificate, origin.at)
    row = {
        "id": made.id,
        "name": name,
        "roles": json.dumps(made.roles),
        "secret_hash": None if secret is None else _hash(secret, os.urandom(16)),
        "certificate": None if certificate is None else certificate.public_bytes(Encoding.DER),
        "created": origin.at,
    }
    with database.write() as connection:
        connection.execute(insert(applications), row)
        audit.record(connection, origin, "add application", detail=f"{made.id} {name} {' '.join(made.roles)}")
    return made, secret


def list_applications(database: Database) -> list[Application]:
    """All applications, oldest first."""
    with database.read() as connection:
        rows = connection.execute(select(applications).order_by(applications.c.created, applications.c.id)).all()
    return [_application(row) for row in rows]


def remove_application(database: Database, application_id: str, *, actor: str = "administrator") -> bool:
    """Issue no more tokens to an application; those issued live out their hour. False if there is none."""
    origin = audit.Origin(actor, clock.now())
    with database.write() as connection:
        if connection.execute(delete(applications).where(applications.c.id == application_id)).rowcount == 0:
            return False
        subscriptions.remove_all_of(connection, f"application {application_id}")
        audit.record(connection, origin, "remove application", detail=application_id)
    return True


def find_application(connection: Connection, application_id: str) -> Application | None:
    """The application with this client id."""
    row = connection.execute(_FIND, {"id": application_id}).one_or_none()
    return None if row is None else _application(row)


def check_secret(connection: Connection, application_id: str, secret: str) -> Application | None:
    """The application if this is its secret. Takes as long when there is no such application."""
    row = connection.execute(_FIND, {"id": application_id}).one_or_none()
    stored = _NOBODY if row is None or row.secret_hash is None else row.secret_hash
    right = hmac.compare_digest(_hash(secret, stored[:16]), stored)
    return _application(row) if right and row is not None else None


def thumbprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate, as ``x5t#S256`` names it (RFC 7515, 4.1.8)."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def _hash(secret: str, salt: bytes) -> bytes:
    return salt + Scrypt(salt=salt, length=32, **_COST).derive(secret.encode())


def _application(row: Row[Any]) -> Application:
    return Application(
        id=row.id,
        name=row.name,
        roles=tuple(json.loads(row.roles)),
        certificate=None if row.certificate is None else x509.load_der_x509_certificate(row.certificate),
        created=row.created,
    )
