"""Registered keys: entering, replacing and revoking them."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from keytrust.registry import audit, changes
from keytrust.registry.database import Database
from keytrust.registry.tables import devices, keys

# Statements are built once: building them anew would cost more than running them.
_WITH_KEY_ID = select(keys.c.kid, keys.c.user_id, keys.c.device_id).where(keys.c.key_id == bindparam("key_id"))
_AT_PLACE = (keys.c.user_id == bindparam("place_user")) & (keys.c.device_id == bindparam("place_device"))
_KEY_AT_PLACE = select(keys.c.key_id).where(_AT_PLACE)
_DELETE_AT_PLACE = delete(keys).where(_AT_PLACE)
_INSERT = insert(keys)
_SEEN = update(devices).where(devices.c.id == bindparam("device")).values(last_seen=bindparam("at"))
_WITH_DEVICE = select(keys, devices.c.display_name).join(devices, devices.c.id == keys.c.device_id)
_ONE = _WITH_DEVICE.where(keys.c.kid == bindparam("kid"), keys.c.user_id == bindparam("user"))
_OF_USER = _WITH_DEVICE.where(keys.c.user_id == bindparam("user")).order_by(keys.c.created, keys.c.kid)


class KeyTakenError(Exception):
    """The key is already registered to another user, or by another device."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A key that was registered. ``created`` is False if it had been before."""

    kid: str
    created: bool


def register_key(
    connection: Connection, *, user_id: str, device_id: str, material: bytes, origin: audit.Origin
) -> Registration:
    """Register a key. The same key again is answered alike; a new one replaces the user's key on that device.

    Args:
        connection: A writing transaction, of ``Database.transact``: another request may do the same at this moment.
        user_id: Whose key it is.
        device_id: The device that holds it.
        material: The RSA1 blob, already found to be acceptable.
        origin: Who asked for it.

    Raises:
        KeyTakenError: the key belongs to someone else, or to another device.
    """
    key_id = hashlib.sha256(material).hexdigest()
    same_key = connection.execute(_WITH_KEY_ID, {"key_id": key_id}).one_or_none()
    if same_key is not None:
        if (same_key.user_id, same_key.device_id) != (user_id, device_id):
            raise KeyTakenError
        return Registration(same_key.kid, created=False)
    place = {"place_user": user_id, "place_device": device_id}
    old_key = connection.execute(_KEY_AT_PLACE, place).scalar_one_or_none()
    if old_key is not None:
        connection.execute(_DELETE_AT_PLACE, place)
        subject = {"user_id": user_id, "device_id": device_id, "key_id": old_key}
        audit.record(connection, origin, "replace key", **subject, detail="by " + key_id)
    kid = str(uuid.uuid4())
    row = {
        "kid": kid,
        "user_id": user_id,
        "device_id": device_id,
        "key_id": key_id,
        "material": material,
        "created": origin.at,
    }
    connection.execute(_INSERT, row)
    connection.execute(_SEEN, {"device": device_id, "at": origin.at})
    audit.record(connection, origin, "register key", user_id=user_id, device_id=device_id, key_id=key_id)
    changes.touch(connection, [user_id])
    return Registration(kid, created=True)


def revoke_key(database: Database, *, user_id: str, kid: str, origin: audit.Origin, reason: str = "") -> bool:
    """Remove a key; False if this user has no such key."""
    with database.write() as connection:
        row = find_key(connection, user_id=user_id, kid=kid)
        if row is None:
            return False
        connection.execute(delete(keys).where(keys.c.kid == kid))
        subject = {"user_id": user_id, "device_id": row.device_id, "key_id": row.key_id}
        audit.record(connection, origin, "revoke key", **subject, detail=reason)
        changes.touch(connection, [user_id])
    return True


def find_key(connection: Connection, *, user_id: str, kid: str) -> Row[Any] | None:
    """One key of one user, with its device's name."""
    return connection.execute(_ONE, {"kid": kid, "user": user_id}).one_or_none()


def keys_of(connection: Connection, user_id: str) -> list[Row[Any]]:
    """All keys of one user with their devices' names, oldest first."""
    return list(connection.execute(_OF_USER, {"user": user_id}))
