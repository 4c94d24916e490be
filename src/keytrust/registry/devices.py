"""The devices that keys may come from. Joining a device over the wire is not offered yet; they are entered here."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keytrust.errors import RegistryError
from keytrust.registry import audit, changes, clock
from keytrust.registry.database import Database
from keytrust.registry.tables import devices, keys
from keytrust.registry.users import find_user

_LOCK_ENABLED = select(devices.c.enabled).where(devices.c.id == bindparam("device")).with_for_update()


def register_device(
    database: Database,
    device_id: UUID,
    *,
    owner_upn: str | None = None,
    display_name: str = "",
    enabled: bool | None = None,
    actor: str = "administrator",
) -> None:
    """Enter a device, or change what is known of it.

    Args:
        database: The registry's database.
        device_id: The device's id, as tokens name it in ``deviceid``.
        owner_upn: Who owns it; None for a shared device. Other users may register keys on it as well.
        display_name: What people call it.
        enabled: Whether keys may be registered on it; None for yes if it is new, else as it was.
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
        values: dict[str, object] = {"owner_id": owner_id, "display_name": display_name[:256]}
        if enabled is not None:
            values["enabled"] = enabled
        if connection.execute(update(devices).where(devices.c.id == str(device_id)).values(values)).rowcount == 0:
            connection.execute(insert(devices), {"enabled": True, **values, "id": str(device_id), "created": origin.at})
        audit.record(connection, origin, "register device", device_id=str(device_id), user_id=owner_id)


def enable_device(database: Database, device_id: UUID, *, actor: str = "administrator") -> bool:
    """Let keys be registered on a device again; False if there is no such device."""
    return change_device(database, device_id, origin=audit.Origin(actor, clock.now()), enabled=True)


def disable_device(database: Database, device_id: UUID, *, actor: str = "administrator") -> bool:
    """Refuse new keys from a device; its registered keys stay. False if there is no such device."""
    return change_device(database, device_id, origin=audit.Origin(actor, clock.now()), enabled=False)


def change_device(
    database: Database,
    device_id: UUID,
    *,
    origin: audit.Origin,
    enabled: bool | None = None,
    display_name: str | None = None,
    reason: str = "",
) -> bool:
    """Change what is not None of a device; False if there is no such device."""
    changed: dict[str, object] = {}
    actions = []
    if enabled is not None:
        changed["enabled"] = enabled
        actions.append("enable device" if enabled else "disable device")
    if display_name is not None:
        changed["display_name"] = display_name[:256]
        actions.append("rename device")
    with database.write() as connection:
        if connection.execute(select(devices.c.id).where(devices.c.id == str(device_id))).first() is None:
            return False
        if changed:
            connection.execute(update(devices).where(devices.c.id == str(device_id)).values(changed))
        for action in actions:
            audit.record(connection, origin, action, device_id=str(device_id), detail=reason)
    return True


def remove_device(database: Database, device_id: UUID, *, origin: audit.Origin, reason: str = "") -> int | None:
    """Remove a device and revoke the keys registered on it; how many those were. None if there is no such device."""
    name = str(device_id)
    with database.write() as connection:
        if connection.execute(_LOCK_ENABLED, {"device": name}).scalar_one_or_none() is None:
            return None
        revoked = connection.execute(select(keys.c.user_id, keys.c.key_id).where(keys.c.device_id == name)).all()
        connection.execute(delete(keys).where(keys.c.device_id == name))
        connection.execute(delete(devices).where(devices.c.id == name))
        for row in revoked:
            subject = {"user_id": row.user_id, "device_id": name, "key_id": row.key_id}
            audit.record(connection, origin, "revoke key", **subject, detail="its device was removed")
        audit.record(connection, origin, "remove device", device_id=name, detail=reason)
        changes.touch(connection, sorted({str(row.user_id) for row in revoked}))
    return len(revoked)


def lock_usable(connection: Connection, device_id: str) -> bool:
    """Whether the device is known and enabled; until the transaction ends nobody else registers on it or changes it.

    On SQLite the transaction is the only one that writes anyhow.
    """
    return bool(connection.execute(_LOCK_ENABLED, {"device": device_id}).scalar_one_or_none())
