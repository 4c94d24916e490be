"""Subscriptions to change notifications: what may be asked for, and keeping them in the database."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from keytrust.cloud import fields
from keytrust.registry import audit, changes, clock
from keytrust.registry.odata import ODataError, bad_request
from keytrust.registry.tables import subscriptions

LONGEST = 41_760 * 60_000_000
"""Microseconds that a subscription to users may last, as Microsoft Graph documents (29 days)."""
MOST = 20
"""Subscriptions of one application."""

CHANGE_TYPES = ("created", "updated", "deleted")
_PROPERTIES = frozenset(
    {
        "changeType",
        "notificationUrl",
        "lifecycleNotificationUrl",
        "resource",
        "expirationDateTime",
        "clientState",
        "latestSupportedTlsVersion",
        "@odata.type",
    }
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscription that is asked for, checked but for its URLs."""

    change_types: tuple[str, ...]
    notification_url: object
    lifecycle_url: object | None
    client_state: str | None
    expires: int


def parse(content: object, now: int) -> Wanted:
    """What the body of a request asks for.

    Raises:
        ODataError: it cannot be had.
    """
    if not isinstance(content, Mapping):
        bad_request("The body is not a subscription.")
    for name in content:
        if name not in _PROPERTIES:
            bad_request(f"The property {name[:64]} of a subscription is not supported here.")
    resource = content.get("resource")
    if not isinstance(resource, str) or resource.strip("/") != "users":
        bad_request("Only the resource users can be subscribed to.")
    names = content.get("changeType")
    types = tuple(each.strip() for each in names.split(",")) if isinstance(names, str) else ()
    if not types or not set(types) <= set(CHANGE_TYPES):
        bad_request("The changeType must name some of created, updated and deleted.")
    state = content.get("clientState")
    if state is not None and not (isinstance(state, str) and len(state) <= 255 and state.isprintable()):
        bad_request("The clientState must be text of at most 255 characters.")
    return Wanted(
        tuple(name for name in CHANGE_TYPES if name in types),
        content.get("notificationUrl"),
        content.get("lifecycleNotificationUrl"),
        state,
        parse_end(content.get("expirationDateTime"), now),
    )


def parse_end(value: object, now: int) -> int:
    """When a subscription is to end, microseconds since 1970.

    Raises:
        ODataError: it is no time, has gone by, or is too far off.
    """
    try:
        end = round(fields.time(value).timestamp() * 1e6)
    except ValueError:
        bad_request("The expirationDateTime is not a time.")
    if end <= now:
        bad_request("The expirationDateTime has gone by.")
    if end > now + LONGEST:
        bad_request(f"Subscription expiration can only be {LONGEST // 60_000_000} minutes in the future.")
    return end


def create(connection: Connection, wanted: Wanted, owner: str, origin: audit.Origin) -> Row[Any]:
    """Enter a subscription, whose URLs have been checked. It will be told of what changes from now on.

    Raises:
        ODataError: the owner has too many.
    """
    count = select(func.count()).where(subscriptions.c.owner == owner)
    if connection.execute(count).scalar_one() >= MOST:
        raise ODataError(403, "ExtensionError", f"An application can have at most {MOST} subscriptions.")
    made = str(uuid.uuid4())
    row = {
        "id": made,
        "owner": owner,
        "change_types": ",".join(wanted.change_types),
        "notification_url": wanted.notification_url,
        "lifecycle_url": wanted.lifecycle_url,
        "client_state": wanted.client_state,
        "created": origin.at,
        "expires": wanted.expires,
        "reported": changes.latest(connection),
        "warned": False,
    }
    connection.execute(insert(subscriptions), row)
    audit.record(connection, origin, "add subscription", detail=f"{made} {wanted.notification_url}")
    return connection.execute(select(subscriptions).where(subscriptions.c.id == made)).one()


def find(connection: Connection, subscription_id: str, owner: str, now: int) -> Row[Any] | None:
    """One of an owner's subscriptions, if it has not ended."""
    statement = select(subscriptions).where(
        subscriptions.c.id == subscription_id, subscriptions.c.owner == owner, subscriptions.c.expires > now
    )
    return connection.execute(statement).one_or_none()


def of_owner(connection: Connection, owner: str, now: int) -> list[Row[Any]]:
    """All of an owner's subscriptions that have not ended, oldest first."""
    statement = select(subscriptions).where(subscriptions.c.owner == owner, subscriptions.c.expires > now)
    return list(connection.execute(statement.order_by(subscriptions.c.created, subscriptions.c.id)))


def everybodys(connection: Connection) -> list[Row[Any]]:
    """All subscriptions, ended ones too."""
    return list(connection.execute(select(subscriptions)))


def renew(connection: Connection, subscription_id: str, expires: int) -> None:
    """Move the end of a subscription."""
    statement = update(subscriptions).where(subscriptions.c.id == subscription_id)
    connection.execute(statement.values(expires=expires, warned=False))


def note_warned(connection: Connection, subscription_id: str) -> None:
    """Its owner has been told that the end is near."""
    connection.execute(update(subscriptions).where(subscriptions.c.id == subscription_id).values(warned=True))


def note_reported(connection: Connection, positions: Mapping[str, int]) -> None:
    """Subscriptions have been told of everything up to these changes."""
    for name, seq in positions.items():
        connection.execute(update(subscriptions).where(subscriptions.c.id == name).values(reported=seq))


def remove(connection: Connection, subscription_id: str, origin: audit.Origin) -> None:
    """End a subscription."""
    connection.execute(delete(subscriptions).where(subscriptions.c.id == subscription_id))
    audit.record(connection, origin, "remove subscription", detail=subscription_id)


def remove_ended(connection: Connection, subscription_id: str, origin: audit.Origin) -> None:
    """Forget a subscription that has ended, unless it was renewed in the last moment."""
    ended = (subscriptions.c.id == subscription_id) & (subscriptions.c.expires <= origin.at)
    if connection.execute(delete(subscriptions).where(ended)).rowcount:
        audit.record(connection, origin, "subscription ended", detail=subscription_id)


def remove_all_of(connection: Connection, owner: str) -> None:
    """End every subscription of an owner who is no more."""
    connection.execute(delete(subscriptions).where(subscriptions.c.owner == owner))


def entity(row: Row[Any]) -> dict[str, object]:
    """A subscription as Graph JSON. The clientState is its owner's secret and is not shown again."""
    kind, _, who = row.owner.partition(" ")
    return {
        "id": row.id,
        "resource": "users",
        "applicationId": who if kind == "application" else None,
        "changeType": row.change_types,
        "clientState": None,
        "notificationUrl": row.notification_url,
        "lifecycleNotificationUrl": row.lifecycle_url,
        "expirationDateTime": clock.iso(row.expires),
        "creatorId": who,
    }
