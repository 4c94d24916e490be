"""``windowsHelloForBusinessMethods`` and ``devices`` as Graph JSON."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from keytrust.registry import clock
from keytrust.registry.tables import devices

METHOD_TYPE = "#microsoft.graph.windowsHelloForBusinessAuthenticationMethod"
DEVICE_PROPERTIES = (
    "id",
    "deviceId",
    "displayName",
    "accountEnabled",
    "approximateLastSignInDateTime",
    "registrationDateTime",
)


def method(row: Row[Any], *, with_device: bool = False) -> dict[str, object]:
    """One key, as the joined row of ``keys`` and its device's name."""
    result: dict[str, object] = {
        "@odata.type": METHOD_TYPE,
        "id": row.kid,
        "displayName": row.display_name,
        "createdDateTime": clock.iso(row.created),
        "keyStrength": "normal",  # weak keys are not registered
    }
    if with_device:
        result["device"] = {"id": row.device_id, "deviceId": row.device_id, "displayName": row.display_name}
    return result


def list_devices(connection: Connection, *, top: int, after: str | None) -> tuple[list[dict[str, object]], str | None]:
    """A page of devices, and the id after which the next page begins, if there is one."""
    statement = select(devices).order_by(devices.c.id).limit(top + 1)
    if after is not None:
        statement = statement.where(devices.c.id > after)
    rows = connection.execute(statement).all()
    return [_device(row) for row in rows[:top]], rows[top - 1].id if len(rows) > top else None


def get_device(connection: Connection, device_id: str) -> dict[str, object] | None:
    """One device; None if it is not there."""
    row = connection.execute(select(devices).where(devices.c.id == device_id)).one_or_none()
    return None if row is None else _device(row)


def _device(row: Row[Any]) -> dict[str, object]:
    return {
        "id": row.id,
        "deviceId": row.id,
        "displayName": row.display_name,
        "accountEnabled": row.enabled,
        "approximateLastSignInDateTime": None if row.last_seen is None else clock.iso(row.last_seen),
        "registrationDateTime": clock.iso(row.created),
    }
