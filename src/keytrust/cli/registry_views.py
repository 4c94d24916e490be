"""``keytrust registry users``, ``devices``, ``keys``, ``audit``: what is registered."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from keytrust.cli.options import Config, Json, Verbose
from keytrust.cli.output import err, out, print_json, safe, table
from keytrust.cli.registry_database import open_registry

Limit = Annotated[int, typer.Option("--limit", "-n", min=0, help="Show so many at most; 0 for all.")]
Search = Annotated[str | None, typer.Argument(metavar="TEXT", help="Only those whose name contains this.")]
User = Annotated[str | None, typer.Option("--user", "-u", help="Only this user's: userPrincipalName or id.")]


def users(
    search: Search = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those deleted, who can still come back.")] = False,
    limit: Limit = 100,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Show the users of the registry."""
    from keytrust.registry import inventory  # noqa: PLC0415 - slow to load, here and below

    with closing(open_registry()) as database, database.read() as connection:
        found = inventory.list_users(connection, search=search, deleted=deleted, limit=_one_more(limit))
    if json:
        print_json(found[: limit or None])
        return
    rows = table("User", "Name", "State", "Keys", "Second factor", *(["Deleted"] if deleted else []))
    for each in found[: limit or None]:
        state = "blocked" if each["blocked"] else "enabled" if each["enabled"] else "disabled in the directory"
        cells = [each["upn"], each["display_name"] or "", state, each["keys"], "yes" if each["second_factor"] else "no"]
        rows.add_row(*(safe(str(cell)) for cell in [*cells, *([each["deleted"]] if deleted else [])]))
    out.print(rows)
    _more(len(found), limit)


def devices(
    search: Search = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only this user's: userPrincipalName or id.")] = None,
    limit: Limit = 100,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Show the devices that keys may be registered on."""
    from keytrust.registry import inventory  # noqa: PLC0415

    with closing(open_registry()) as database, database.read() as connection:
        whose = None if owner is None else str(inventory.need_user(connection, owner).id)
        found = inventory.list_devices(connection, owner=whose, search=search, limit=_one_more(limit))
    if json:
        print_json(found[: limit or None])
        return
    rows = table("Device", "Name", "Owner", "State", "Keys", "Last seen")
    for each in found[: limit or None]:
        state = "enabled" if each["enabled"] else "disabled"
        owned_by = each["owner"] or "shared"
        cells = [each["id"], each["display_name"], owned_by, state, each["keys"], each["last_seen"] or "never"]
        rows.add_row(*(safe(str(cell)) for cell in cells))
    out.print(rows)
    _more(len(found), limit)


def keys(
    user: User = None, limit: Limit = 100, json: Json = False, config: Config = None, verbose: Verbose = False
) -> None:
    """Show the registered keys, newest first."""
    from keytrust.registry import inventory  # noqa: PLC0415

    with closing(open_registry()) as database, database.read() as connection:
        whose = None if user is None else str(inventory.need_user(connection, user).id)
        found = inventory.list_keys(connection, user=whose, limit=_one_more(limit))
    if json:
        print_json(found[: limit or None])
        return
    rows = table("Key", "User", "Device", "Registered", "KeyID")
    for each in found[: limit or None]:
        key_id = str(each["key_id"])[:16] + "…"
        cells = [each["kid"], each["user"], each["device"] or each["device_id"], each["registered"], key_id]
        rows.add_row(*(safe(str(cell)) for cell in cells))
    out.print(rows)
    _more(len(found), limit)


def audit(
    user: User = None, limit: Limit = 50, json: Json = False, config: Config = None, verbose: Verbose = False
) -> None:
    """Show the audit trail: every change, who asked for it and when (UTC); newest first."""
    from keytrust.registry import inventory  # noqa: PLC0415

    with closing(open_registry()) as database, database.read() as connection:
        whose = None if user is None else str(inventory.need_user(connection, user).id)
        found = inventory.list_audit(connection, user=whose, limit=_one_more(limit))
    if json:
        print_json(found[: limit or None])
        return
    rows = table("When", "Who", "What", "About")
    rows.columns[0].no_wrap = True
    for each in found[: limit or None]:
        key = f"key {str(each['key_id'])[:16]}…" if each["key_id"] else None
        device = f"device {each['device']}" if each["device"] else None
        about = ", ".join(str(part) for part in (each["user"], device, key, each["detail"]) if part)
        cells = [str(each["at"]).replace("T", " ").rstrip("Z"), each["actor"], each["action"], about]
        rows.add_row(*(safe(str(cell)) for cell in cells))
    out.print(rows)
    _more(len(found), limit)


def _one_more(limit: int) -> int | None:
    return limit + 1 if limit else None


def _more(found: int, limit: int) -> None:
    if limit and found > limit:
        err.print(f"[dim]There are more than {limit:,}: narrow it down, or give --limit 0.[/]")
