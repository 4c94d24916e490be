"""Users of the registry. They come from Active Directory, see ``user_import``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, not_, select, update

from keytrust.registry import audit, changes
from keytrust.registry.database import Database
from keytrust.registry.tables import devices, keys, totp, user_changes, users

KEPT_SECONDS = 30 * 86_400
"""How long a deleted user can be restored, seconds, as Microsoft Graph documents."""

IS_ENABLED: ColumnElement[bool] = and_(users.c.enabled, not_(users.c.blocked))
"""Enabled in Active Directory, and not blocked here."""

_BATCH = 500
_PRESENT = select(users, IS_ENABLED.label("active")).where(users.c.deleted.is_(None)).limit(2)
_BY_ID = users.c.id == bindparam("user_id")
_BY_UPN = users.c.upn_key == bindparam("upn_key")
_FIND = {
    frozenset({"user_id"}): _PRESENT.where(_BY_ID),
    frozenset({"upn_key"}): _PRESENT.where(_BY_UPN),
    frozenset({"user_id", "upn_key"}): _PRESENT.where(_BY_ID, _BY_UPN),
}


def find_user(connection: Connection, *, user_id: str | None = None, upn: str | None = None) -> Row[Any] | None:
    """The one user, not deleted, with this id, this name, or both; None if there is none or the name is not unique.

    The row has beside the table's columns ``active``: enabled in Active Directory, and not blocked here.
    """
    names = {} if user_id is None else {"user_id": user_id}
    if upn is not None:
        names["upn_key"] = upn.casefold()
    rows = connection.execute(_FIND[frozenset(names)], names).all()
    return rows[0] if len(rows) == 1 else None


def set_blocked(database: Database, user_id: str, blocked: bool, *, origin: audit.Origin, reason: str = "") -> bool:
    """Block or unblock a user here, whatever Active Directory says; imports leave it so.

    A blocked user registers no keys and is shown as disabled; keys registered before stay. False if there is no such
    user.
    """
    with database.write() as connection:
        statement = update(users).where(users.c.id == user_id, users.c.deleted.is_(None))
        if connection.execute(statement.values(blocked=blocked, updated=origin.at)).rowcount == 0:
            return False
        audit.record(connection, origin, "disable user" if blocked else "enable user", user_id=user_id, detail=reason)
        changes.touch(connection, [user_id])
    return True


def delete_users(connection: Connection, user_ids: Sequence[str], *, origin: audit.Origin, reason: str = "") -> None:
    """Delete users softly in the caller's transaction: they are gone for every reader, and can be restored."""
    for start in range(0, len(user_ids), _BATCH):
        batch = user_ids[start : start + _BATCH]
        connection.execute(update(users).where(users.c.id.in_(batch)).values(deleted=origin.at, updated=origin.at))
        audit.record_all(connection, origin, [(user_id, "delete user") for user_id in batch], detail=reason)
    changes.touch(connection, user_ids)


def purge_users(database: Database, *, origin: audit.Origin) -> int:
    """Remove users for good who were deleted longer ago than they are kept, with their keys. How many.

    Their devices stay, disabled: without an owner they would else be anybody's.
    """
    horizon = origin.at - KEPT_SECONDS * 1_000_000
    expired = select(users.c.id).where(users.c.deleted < horizon).limit(_BATCH)
    purged = 0
    while True:
        with database.write() as connection:
            batch = list(connection.execute(expired).scalars())
            if not batch:
                return purged
            owned = devices.c.owner_id.in_(batch)
            disabled = list(connection.execute(select(devices.c.id).where(owned)).scalars())
            connection.execute(update(devices).where(owned).values(owner_id=None, enabled=False))
            for device_id in disabled:
                audit.record(connection, origin, "disable device", device_id=device_id, detail="its owner was purged")
            changes.keep_latest(connection)
            for table in (keys, totp, user_changes):
                connection.execute(delete(table).where(table.c.user_id.in_(batch)))
            connection.execute(delete(users).where(users.c.id.in_(batch)))
            audit.record_all(connection, origin, [(user_id, "purge user") for user_id in batch])
        purged += len(batch)
