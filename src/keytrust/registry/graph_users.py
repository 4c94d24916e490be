"""Users and their keys as Graph JSON: the queries, a page at a time."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from keytrust.cloud.source import NGC
from keytrust.registry import clock
from keytrust.registry.tables import keys, user_changes, users
from keytrust.registry.users import IS_ENABLED

_c = users.c
_PROPERTIES: dict[str, tuple[Any, Callable[[Any], object] | None]] = {
    "id": (_c.id, None),
    "userPrincipalName": (_c.upn, None),
    "displayName": (_c.display_name, None),
    "accountEnabled": (IS_ENABLED, bool),
    "createdDateTime": (_c.created, clock.iso),
    "onPremisesImmutableId": (_c.source_anchor, None),
    "onPremisesSecurityIdentifier": (_c.sid, None),
    "onPremisesDistinguishedName": (_c.distinguished_name, None),
    "onPremisesDomainName": (_c.domain, None),
    "onPremisesSamAccountName": (_c.sam_account_name, None),
    "onPremisesUserPrincipalName": (_c.upn, None),
    "onPremisesSyncEnabled": (_c.id, lambda _: True),
}
DEVICE_KEYS = "deviceKeys"
V1_PROPERTIES = frozenset(_PROPERTIES)
BETA_PROPERTIES = V1_PROPERTIES | {DEVICE_KEYS}
DEFAULT_PROPERTIES = ("id", "userPrincipalName", "displayName")
FILTERS = {
    "id": _c.id,
    "userPrincipalName": _c.upn_key,
    "onPremisesImmutableId": _c.source_anchor,
}


def list_users(
    connection: Connection, names: Sequence[str], *, top: int, after: str | None, where: tuple[str, str] | None
) -> tuple[list[dict[str, object]], str | None]:
    """A page of users, and the id after which the next page begins, if there is one.

    Args:
        connection: A reading transaction.
        names: The selected properties.
        top: At most so many.
        after: Only users whose id sorts after this one.
        where: A filter, property and value.
    """
    columns = [name for name in names if name != DEVICE_KEYS]
    statement = select(_c.id, *(_PROPERTIES[name][0].label(name) for name in columns))
    statement = statement.where(_c.deleted.is_(None)).order_by(_c.id).limit(top + 1)
    if after is not None:
        statement = statement.where(_c.id > after)
    if where is not None:
        name, value = where
        statement = statement.where(FILTERS[name] == (value.casefold() if name == "userPrincipalName" else value))
    rows = connection.execute(statement).all()
    next_after = rows[top - 1][0] if len(rows) > top else None
    rows = rows[:top]
    users_ = _users(rows, columns)
    if DEVICE_KEYS in names and rows:
        # Two queries with a range instead of a join: the user's columns are not repeated for every key.
        keys_by_user = _device_keys(connection, keys.c.user_id.between(rows[0][0], rows[-1][0]))
        for row, user in zip(rows, users_, strict=True):
            user[DEVICE_KEYS] = keys_by_user.get(row[0], [])
    return users_, next_after


def changed_users(
    connection: Connection, names: Sequence[str], *, after: int, top: int
) -> tuple[list[dict[str, object]], int, bool]:
    """Users that changed after the change with this number, in the order of their latest changes.

    Those who left have only an id and ``@removed``.

    Returns:
        At most ``top`` of them, the number of the last one's change, and whether there are more.
    """
    columns = [name for name in names if name != DEVICE_KEYS]
    statement = (
        select(_c.id, _c.deleted, user_changes.c.seq, *(_PROPERTIES[name][0].label(name) for name in columns))
        .join(user_changes, user_changes.c.user_id == _c.id)
        .where(user_changes.c.seq > after)
        .order_by(user_changes.c.seq)
        .limit(top + 1)
    )
    rows = connection.execute(statement).all()
    more, rows = len(rows) > top, rows[:top]
    found = _users([row[2:] for row in rows], columns)
    if DEVICE_KEYS in names:
        keys_by_user = _device_keys(connection, keys.c.user_id.in_([row[0] for row in rows]))
        for row, user in zip(rows, found, strict=True):
            user[DEVICE_KEYS] = keys_by_user.get(row[0], [])
    # Soft deletion, as Graph words it: the user can be restored.
    removed: dict[str, object] = {"reason": "changed"}
    changed = [
        user if row[1] is None else {"id": row[0], "@removed": removed} for row, user in zip(rows, found, strict=True)
    ]
    return changed, rows[-1][2] if rows else after, more


def get_user(connection: Connection, user_id: str, names: Sequence[str]) -> dict[str, object] | None:
    """One user; None if it is not there."""
    found, _ = list_users(connection, names, top=1, after=None, where=("id", user_id))
    return found[0] if found else None


def device_keys(connection: Connection, user_id: str) -> list[dict[str, object]]:
    """One user's ``deviceKeys``."""
    return _device_keys(connection, keys.c.user_id == user_id).get(user_id, [])


def _users(rows: Iterable[Sequence[Any]], names: Sequence[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [dict(zip(names, row[1:], strict=True)) for row in rows]
    for name in names:
        convert = _PROPERTIES[name][1]
        if convert is not None:
            for user in found:
                user[name] = convert(user[name])
    return found


def _device_keys(connection: Connection, whose: ColumnElement[bool]) -> dict[str, list[dict[str, object]]]:
    """The keys of some users, by user."""
    statement = (
        select(keys.c.user_id, keys.c.device_id, keys.c.material, keys.c.created)
        .where(whose)
        .order_by(keys.c.user_id, keys.c.created, keys.c.kid)
    )
    result: dict[str, list[dict[str, object]]] = {}
    for user_id, device_id, material, created in connection.execute(statement).all():
        key = {
            "deviceId": device_id,
            "keyMaterial": base64.b64encode(material).decode("ascii"),
            "keyType": NGC,
            "createdDateTime": clock.iso(created),
        }
        result.setdefault(user_id, []).append(key)
    return result
