"""What is registered, for administrators: users, devices, keys and the audit trail as plain records."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from keytrust.errors import RegistryError
from keytrust.registry import clock
from keytrust.registry.tables import audit, devices, keys, totp, users
from keytrust.registry.users import IS_ENABLED, find_user

Record = dict[str, object]

_KEYS_OF_USER = select(func.count()).where(keys.c.user_id == users.c.id).scalar_subquery()
_KEYS_ON_DEVICE = select(func.count()).where(keys.c.device_id == devices.c.id).scalar_subquery()


def list_users(
    connection: Connection, *, search: str | None = None, deleted: bool = False, limit: int | None = None
) -> list[Record]:
    """Users by name. ``search`` is a part of a name; with ``deleted``, those who can be restored."""
    statement = (
        select(users, IS_ENABLED.label("active"), _KEYS_OF_USER.label("keys"), totp.c.created.label("totp"))
        .outerjoin(totp, totp.c.user_id == users.c.id)
        .where(users.c.deleted.is_not(None) if deleted else users.c.deleted.is_(None))
        .order_by(users.c.upn_key, users.c.id)
        .limit(limit)
    )
    if search:
        statement = statement.where(_contains(search, users.c.upn_key, users.c.sam_account_name, users.c.display_name))
    return [
        {
            "id": row.id,
            "upn": row.upn,
            "display_name": row.display_name,
            "domain": row.domain,
            "enabled": bool(row.active),
            "enabled_in_directory": row.enabled,
            "blocked": row.blocked,
            "keys": row.keys,
            "second_factor": row.totp is not None,
            "deleted": _time(row.deleted),
        }
        for row in connection.execute(statement)
    ]


def list_devices(
    connection: Connection, *, owner: str | None = None, search: str | None = None, limit: int | None = None
) -> list[Record]:
    """Devices by name; ``owner`` is a user's id."""
    statement = (
        select(devices, users.c.upn, _KEYS_ON_DEVICE.label("keys"))
        .outerjoin(users, users.c.id == devices.c.owner_id)
        .order_by(devices.c.display_name, devices.c.id)
        .limit(limit)
    )
    if owner is not None:
        statement = statement.where(devices.c.owner_id == owner)
    if search:
        statement = statement.where(_contains(search, devices.c.display_name, devices.c.id))
    return [
        {
            "id": row.id,
            "display_name": row.display_name,
            "owner": row.upn,
            "enabled": row.enabled,
            "keys": row.keys,
            "registered": _time(row.created),
            "last_seen": _time(row.last_seen),
        }
        for row in connection.execute(statement)
    ]


def list_keys(
    connection: Connection, *, user: str | None = None, device: str | None = None, limit: int | None = None
) -> list[Record]:
    """Keys, newest first; ``user`` and ``device`` are ids."""
    statement = _keys().order_by(keys.c.created.desc(), keys.c.kid).limit(limit)
    if user is not None:
        statement = statement.where(keys.c.user_id == user)
    if device is not None:
        statement = statement.where(keys.c.device_id == device)
    return [_key(row) for row in connection.execute(statement)]


def find_keys(connection: Connection, name: str) -> list[Record]:
    """The keys named by id at the registry, or by the first 16 or more hex digits of the KeyID."""
    statement = _keys().limit(100)
    digits = name.lower()
    if len(digits) >= 16 and not set(digits) - set("0123456789abcdef"):
        found = connection.execute(statement.where(keys.c.key_id.startswith(digits, autoescape=True)))
    else:
        found = connection.execute(statement.where(keys.c.kid == _guid(name)))
    return [_key(row) for row in found]


def list_audit(connection: Connection, *, user: str | None = None, limit: int | None = None) -> list[Record]:
    """The audit trail, newest first; ``user`` is an id."""
    statement = (
        select(audit, users.c.upn)
        .outerjoin(users, users.c.id == audit.c.user_id)
        .order_by(audit.c.seq.desc())
        .limit(limit)
    )
    if user is not None:
        statement = statement.where(audit.c.user_id == user)
    return [
        {
            "seq": row.seq,
            "at": _time(row.at),
            "actor": row.actor,
            "action": row.action,
            "user": row.upn or row.user_id,
            "device": row.device_id,
            "key_id": row.key_id,
            "detail": row.detail,
            "request_id": row.request_id,
        }
        for row in connection.execute(statement)
    ]


def need_user(
    connection: Connection,
    name: str,
    *,
    not_done: str = "",
    remedy: str = "give a userPrincipalName or an id that keytrust registry users shows",
) -> Row[Any]:
    """The user named by userPrincipalName or id.

    Raises:
        RegistryError: there is none, or several have this name.
    """
    user_id = _guid(name)
    row = find_user(connection, user_id=user_id) if user_id else find_user(connection, upn=name)
    if row is None:
        raise RegistryError(
            f"{name} is not a user of the registry, or not the only one of this name",
            not_done=not_done,
            remedy=remedy,
        )
    return row


def has_device(connection: Connection, device_id: str) -> bool:
    """Whether there is such a device."""
    return connection.execute(select(devices.c.id).where(devices.c.id == device_id)).first() is not None


def _keys() -> Select[Any]:
    return (
        select(keys, users.c.upn, devices.c.display_name)
        .join(users, users.c.id == keys.c.user_id)
        .join(devices, devices.c.id == keys.c.device_id)
    )


def _key(row: Row[Any]) -> Record:
    return {
        "kid": row.kid,
        "key_id": row.key_id,
        "user": row.upn,
        "user_id": row.user_id,
        "device_id": row.device_id,
        "device": row.display_name,
        "registered": _time(row.created),
    }


def _contains(text: str, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(*(func.lower(column).contains(text.lower(), autoescape=True) for column in columns))


def _time(moment: int | None) -> str | None:
    return None if moment is None else clock.iso(moment)[:19] + "Z"


def _guid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
