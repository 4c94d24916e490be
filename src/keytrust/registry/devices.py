"""The devices that keys may come from. Joining a device over the wire is not offered yet; they are entered here."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select, update

from keytrust.errors import RegistryError
from keytrust.registry import audit, clock
from keytrust.registry.database import Database
from keytrust.registry.tables import devices
from keytrust.registry.users import find_user

_LOCK_ENABLED = select(devices.c.enabled).where(devices.c.id == bindparam("device")).with_for_update()


def register_device(
    database: Database,
    device_id: UUID,
    *,
    owner_upn: str | None = None,
    display_name: str = "",
    enabled: bool = True,
    actor: str = "administrator",
) -> None:
    """Enter a device, or change what is known of it.

    Args:
        database: The registry's database.
        device_id: The device's id, as tokens name it in ``deviceid``.
        owner_upn: Who owns it; None for a shared device. Other users may register keys on it as well.
        display_name: What people call it.
        enabled: Whether keys may be registered on it.
        actor: Who enters it, for the audit trail.

    Raises:
        RegistryError: the owner is not a user of the registry.
    """
    origin = audit.Origin(actor, clock.now())
    with database.write() as connection:
        owner = None if owner_upn is None else find_user(connection, upn=owner_upn)
        if owner_upn is not None and owner is None:
            raise RegistryError(
                f"{owner_upn} is not a user of the registry",
                not_done=f"device {device_id} was not entered",
                remedy="import the users first, and name the owner by userPrincipalName",
            )
        owner_id = None if owner is None else str(owner.id)
        values = {
            "owner_id": owner_id,
            "display_name": display_name[:256],
            "enabled": enabled,
        }
        if connection.execute(update(devices).where(devices.c.id == str(device_id)).values(values)).rowcount == 0:
            connection.execute(insert(devices).values(id=str(device_id), created=origin.at, **values))
        audit.record(connection, origin, "register device", device_id=str(device_id), user_id=owner_id)


def enable_device(database: Database, device_id: UUID, *, actor: str = "administrator") -> bool:
    """Let keys be registered on a device again; False if there is no such device."""
    return _set_enabled(database, device_id, True, actor)


def disable_device(database: Database, device_id: UUID, *, actor: str = "administrator") -> bool:
    """Refuse new keys from a device; its registered keys stay. False if there is no such device."""
    return _set_enabled(database, device_id, False, actor)


def lock_usable(connection: Connection, device_id: str) -> bool:
    """Whether the device is known and enabled; until the transaction ends nobody else registers on it or changes it.

    On SQLite the transaction is the only one that writes anyhow.
    """
    return bool(connection.execute(_LOCK_ENABLED, {"device": device_id}).scalar_one_or_none())


def _set_enabled(database: Database, device_id: UUID, enabled: bool, actor: str) -> bool:
    origin = audit.Origin(actor, clock.now())
    with database.write() as connection:
        statement = update(devices).where(devices.c.id == str(device_id)).values(enabled=enabled)
        if connection.execute(statement).rowcount == 0:
            return False
        action = "enable device" if enabled else "disable device"
        audit.record(connection, origin, action, device_id=str(device_id))
    return True
