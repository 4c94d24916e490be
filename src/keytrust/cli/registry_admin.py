"""``keytrust registry revoke``, ``disable``, ``enable``, ``add-device``, ``remove-device``."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from keytrust.cli.options import Config, Json, Verbose, Yes
from keytrust.cli.output import ask, err, out, print_json, safe
from keytrust.cli.registry_database import actor, open_registry
from keytrust.errors import RegistryError

if TYPE_CHECKING:
    from keytrust.registry.audit import Origin

_NOTHING = "nothing was changed"

Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit trail.")]


def revoke(
    name: Annotated[
        str, typer.Argument(metavar="KEY|USER", help="A key's id or KeyID (16 digits or more), or a user.")
    ],
    reason: Reason = "",
    yes: Yes = False,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Revoke a key, or all keys of a user. The next sync takes them out of Active Directory."""
    from keytrust.registry import inventory  # noqa: PLC0415
    from keytrust.registry.keys import revoke_key  # noqa: PLC0415

    with closing(open_registry()) as database:
        with database.read() as connection:
            found = [] if "@" in name else inventory.find_keys(connection, name)
            if len(found) > 1:
                raise RegistryError(f"{name} names {len(found)} keys", not_done=_NOTHING, remedy="give more digits")
            if not found:
                remedy = "give what keytrust registry keys or keytrust registry users shows"
                user = inventory.need_user(connection, name, not_done=_NOTHING, remedy=remedy)
                found = inventory.list_keys(connection, user=str(user.id))
        if len(found) > 1 and not yes and not ask(f"Revoke all {len(found)} keys of {name}?", unattended=False):
            raise RegistryError(
                f"{name} has {len(found)} keys", not_done=_NOTHING, remedy="give --yes to revoke them all"
            )
        origin = _origin()
        revoked = [
            each
            for each in found
            if revoke_key(database, user_id=str(each["user_id"]), kid=str(each["kid"]), origin=origin, reason=reason)
        ]
    if json:
        print_json(revoked)
        return
    for each in revoked:
        out.print(f"Revoked {each['kid']} of {safe(str(each['user']))}.", soft_wrap=True)
    if not revoked:
        out.print(f"{safe(name)} has no key.")


Name = Annotated[str, typer.Argument(metavar="USER|DEVICE", help="userPrincipalName or id of a user; id of a device.")]


def disable(name: Name, reason: Reason = "", config: Config = None, verbose: Verbose = False) -> None:
    """Refuse new keys of a user or from a device. Registered keys stay: revoke them as well if they must go."""
    _switch(name, False, reason)


def enable(name: Name, reason: Reason = "", config: Config = None, verbose: Verbose = False) -> None:
    """Take a user or a device back in. A user who is disabled in the directory stays so."""
    _switch(name, True, reason)


def add_device(
    device_id: Annotated[UUID, typer.Argument(metavar="DEVICE", help="The device's id, as its tokens name it.")],
    owner: Annotated[
        str | None, typer.Option("--owner", help="Whose it is: userPrincipalName. Without: shared.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What people call it.")] = "",
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Enter a device, or change its owner and name."""
    from keytrust.registry.devices import register_device  # noqa: PLC0415

    with closing(open_registry()) as database:
        register_device(database, device_id, owner_upn=owner, display_name=name, actor=_origin().actor)
    out.print(f"Entered {device_id}, {'owned by ' + safe(owner) if owner else 'shared by all users'}.", soft_wrap=True)


def remove_device(
    device_id: Annotated[UUID, typer.Argument(metavar="DEVICE", help="The device's id.")],
    reason: Reason = "",
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Remove a device and revoke the keys on it."""
    from keytrust.registry import devices as register  # noqa: PLC0415

    with closing(open_registry()) as database:
        revoked = register.remove_device(database, device_id, origin=_origin(), reason=reason)
    if revoked is None:
        raise _unknown(str(device_id))
    out.print(f"Removed {device_id}; {revoked} {'key was' if revoked == 1 else 'keys were'} revoked.", soft_wrap=True)


def _switch(name: str, enable_: bool, reason: str) -> None:
    from keytrust.registry import devices as register  # noqa: PLC0415
    from keytrust.registry import inventory  # noqa: PLC0415
    from keytrust.registry.users import set_blocked  # noqa: PLC0415

    with closing(open_registry()) as database:
        device = _guid(name)
        if device is not None and register.change_device(
            database, device, origin=_origin(), enabled=enable_, reason=reason
        ):
            out.print(f"Device {device} is {'enabled' if enable_ else 'disabled'}.", soft_wrap=True)
            return
        with database.read() as connection:
            user = inventory.need_user(connection, name, not_done=_NOTHING)
        set_blocked(database, str(user.id), not enable_, origin=_origin(), reason=reason)
    out.print(f"{safe(user.upn)} is {'not blocked any more' if enable_ else 'blocked'}.", soft_wrap=True)
    if enable_ and not user.enabled:
        err.print("[yellow]The account is disabled in the directory[/], and stays so here until it is enabled there.")


def _origin() -> Origin:
    from keytrust.registry import audit as trail  # noqa: PLC0415
    from keytrust.registry import clock  # noqa: PLC0415

    return trail.Origin(actor(), clock.now())


def _guid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _unknown(name: str) -> RegistryError:
    return RegistryError(f"there is no device {name}", not_done=_NOTHING, remedy="keytrust registry devices shows them")
