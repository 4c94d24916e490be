"""Registered keys: entering, replacing and revoking them."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from keytrust.registry import audit
from keytrust.registry.database import Database
from keytrust.registry.tables import devices, keys

_ATTEMPTS = 5


class KeyTakenError(Exception):
    """The key is already registered to another user, or by another device."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A key that was registered. ``created`` is False if it had been before."""

    kid: str
    created: bool


def register_key(
    database: Database, *, user_id: str, device_id: str, material: bytes, origin: audit.Origin
) -> Registration:
    """Register a key durably. The same key again is answered alike; a new one replaces the user's key on that device.

    Raises:
        KeyTakenError: the key belongs to someone else, or to another device.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with database.write() as connection:
                return _register(connection, user_id, device_id, material, origin)
        except IntegrityError:
            # Somebody else registered the same key, or for the same device, in the same moment: look again.
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _register(
    connection: Connection, user_id: str, device_id: str, material: bytes, origin: audit.Origin
) -> Registration:
    key_id = hashlib.sha256(material).hexdigest()
    same_key = connection.execute(
        select(keys.c.kid, keys.c.user_id, keys.c.device_id).where(keys.c.key_id == key_id)
    ).one_or_none()
    if same_key is not None:
        if (same_key.user_id, same_key.device_id) != (user_id, device_id):
            raise KeyTakenError
        return Registration(same_key.kid, created=False)
    place = (keys.c.user_id == user_id) & (keys.c.device_id == device_id)
    old_key = connection.execute(select(keys.c.key_id).where(place)).scalar_one_or_none()
    if old_key is not None:
        connection.execute(delete(keys).where(place))
        audit.record(
            connection,
            origin,
            "replace key",
            user_id=user_id,
            device_id=device_id,
            key_id=old_key,
            detail="by " + key_id,
        )
    kid = str(uuid.uuid4())
    connection.execute(
        insert(keys),
        {
            "kid": kid,
            "user_id": user_id,
            "device_id": device_id,
            "key_id": key_id,
            "material": material,
            "created": origin.at,
        },
    )
    connection.execute(update(devices).where(devices.c.id == device_id).values(last_seen=origin.at))
    audit.record(connection, origin, "register key", user_id=user_id, device_id=device_id, key_id=key_id)
    return Registration(kid, created=True)


def revoke_key(database: Database, *, user_id: str, kid: str, origin: audit.Origin) -> bool:
    """Remove a key; False if this user has no such key."""
    with database.write() as connection:
        row = find_key(connection, user_id=user_id, kid=kid)
        if row is None:
            return False
        connection.execute(delete(keys).where(keys.c.kid == kid))
        audit.record(connection, origin, "revoke key", user_id=user_id, device_id=row.device_id, key_id=row.key_id)
    return True


def find_key(connection: Connection, *, user_id: str, kid: str) -> Row[Any] | None:
    """One key of one user, with its device's name."""
    statement = (
        select(keys, devices.c.display_name)
        .join(devices, devices.c.id == keys.c.device_id)
        .where(keys.c.kid == kid, keys.c.user_id == user_id)
    )
    return connection.execute(statement).one_or_none()


def keys_of(connection: Connection, user_id: str) -> list[Row[Any]]:
    """All keys of one user with their devices' names, oldest first."""
    statement = (
        select(keys, devices.c.display_name)
        .join(devices, devices.c.id == keys.c.device_id)
        .where(keys.c.user_id == user_id)
        .order_by(keys.c.created, keys.c.kid)
    )
    return list(connection.execute(statement))
