"""Users and their keys as Graph JSON: the queries, and the fast way from rows to bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from keytrust.cloud.source import NGC
from keytrust.registry import clock, odata
from keytrust.registry.tables import keys, users

_c = users.c
_PROPERTIES: dict[str, tuple[Any, Callable[[Any], object] | None]] = {
    "id": (_c.id, None),
    "userPrincipalName": (_c.upn, None),
    "displayName": (_c.display_name, None),
    "accountEnabled": (_c.enabled, bool),
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
) -> tuple[list[str], str | None]:
    """A page of users as JSON texts, and the id after which the next page begins, if there is one.

    Args:
        connection: A reading transaction.
        names: The selected properties.
        top: At most so many.
        after: Only users whose id sorts after this one.
        where: A filter, property and value.
    """
    statement = select(_c.id, *(_PROPERTIES[name][0].label(name) for name in names if name != DEVICE_KEYS))
    statement = statement.where(_c.deleted.is_(None)).order_by(_c.id).limit(top + 1)
    if after is not None:
        statement = statement.where(_c.id > after)
    if where is not None:
        name, value = where
        statement = statement.where(FILTERS[name] == (value.casefold() if name == "userPrincipalName" else value))
    rows = connection.execute(statement).all()
    next_after = rows[top - 1][0] if len(rows) > top else None
    rows = rows[:top]
    texts = _texts(rows, [name for name in names if name != DEVICE_KEYS])
    if DEVICE_KEYS in names and rows:
        texts = _with_keys(texts, rows, _device_keys(connection, rows[0][0], rows[-1][0]))
    return texts, next_after


def user_text(connection: Connection, user_id: str, names: Sequence[str]) -> str | None:
    """One user as a JSON text; None if it is not there."""
    texts, _ = list_users(connection, names, top=1, after=None, where=("id", user_id))
    return texts[0] if texts else None


def device_key_texts(connection: Connection, user_id: str) -> list[str]:
    """One user's ``deviceKeys`` as JSON texts."""
    return _device_keys(connection, user_id, user_id).get(user_id, [])


def _texts(rows: Iterable[Row[Any]], names: Sequence[str]) -> list[str]:
    converters = [(index, convert) for index, name in enumerate(names) if (convert := _PROPERTIES[name][1])]
    texts = []
    for row in rows:
        values: list[object] = list(row[1:])
        for index, convert in converters:
            values[index] = convert(values[index])
        texts.append(odata.encode(dict(zip(names, values, strict=True))))
    return texts


def _with_keys(texts: list[str], rows: Sequence[Row[Any]], device_keys: dict[str, list[str]]) -> list[str]:
    with_keys = []
    for text, row in zip(texts, rows, strict=True):
        separator = "" if text == "{}" else ","
        with_keys.append(f'{text[:-1]}{separator}"deviceKeys":[{",".join(device_keys.get(row[0], ()))}]}}')
    return with_keys


def _device_keys(connection: Connection, first: str, last: str) -> dict[str, list[str]]:
    """The keys of all users whose ids lie between two, by user."""
    statement = (
        select(keys.c.user_id, keys.c.device_id, keys.c.material, keys.c.created)
        .where(keys.c.user_id >= first, keys.c.user_id <= last)
        .order_by(keys.c.user_id, keys.c.created, keys.c.kid)
    )
    result: dict[str, list[str]] = {}
    for user_id, device_id, material, created in connection.execute(statement):
        # Nothing here needs escaping: a GUID, base64 and digits.
        result.setdefault(user_id, []).append(
            f'{{"deviceId":"{device_id}","keyMaterial":"{base64.b64encode(material).decode("ascii")}",'
            f'"keyType":"{NGC}","createdDateTime":"{clock.iso(created)}"}}'
        )
    return result
