"""What a notification says, as Microsoft Graph words it: which users changed, never how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from keytrust.registry import changes, clock
from keytrust.registry.tables import user_changes, users

AT_ONCE = 100
"""Users named in one notification."""
TOO_MANY = 1000
"""With more changes than this, a subscriber is told that it missed some instead."""

_MINUTES = 60_000_000
_NEAR = 15 * _MINUTES


@dataclass(frozen=True, slots=True)
class Change:
    """A user who changed, and how: ``updated`` or ``deleted``."""

    user_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Found:
    """Whom to name, up to which change that brings a subscription, and whether others go unnamed."""

    users: tuple[Change, ...]
    position: int
    missed: bool = False


def changes_for(connection: Connection, row: Row[Any], position: int) -> Found:
    """What a subscription that was told of everything up to ``position`` is to be told next."""
    statement = (
        select(user_changes.c.seq, user_changes.c.user_id, users.c.deleted)
        .join(users, users.c.id == user_changes.c.user_id)
        .where(user_changes.c.seq > position)
        .order_by(user_changes.c.seq)
    )
    found = connection.execute(statement.limit(TOO_MANY + 1)).all()
    # More than can be named: whoever is told of some will ask for all.
    missed = len(found) > TOO_MANY
    named = found[: AT_ONCE if not missed or row.lifecycle_url is None else 0]
    end = changes.latest(connection) if missed else named[-1].seq if named else position
    kinds = set(row.change_types.split(","))
    told = [Change(each.user_id, "updated" if each.deleted is None else "deleted") for each in named]
    return Found(tuple(each for each in told if each.kind in kinds), end, missed)


def is_near_its_end(row: Row[Any], now: int) -> bool:
    """Whether it is time to remind the subscriber: a quarter of an hour before, or half of a short life."""
    return bool(row.expires - now < min(_NEAR, (row.expires - row.created) // 2))


def change(row: Row[Any], changed: Change, tenant: str) -> dict[str, object]:
    """A change notification."""
    data = {
        "@odata.type": "#Microsoft.Graph.User",
        "@odata.id": f"Users/{changed.user_id}",
        "id": changed.user_id,
    }
    return {
        **_common(row, tenant),
        "changeType": changed.kind,
        "resource": f"Users/{changed.user_id}",
        "resourceData": data,
    }


def lifecycle(row: Row[Any], event: str, tenant: str) -> dict[str, object]:
    """A lifecycle notification."""
    return {**_common(row, tenant), "lifecycleEvent": event, "resource": "users"}


def _common(row: Row[Any], tenant: str) -> dict[str, object]:
    return {
        "subscriptionId": row.id,
        "subscriptionExpirationDateTime": clock.iso(row.expires),
        "clientState": row.client_state,
        "tenantId": tenant,
    }
