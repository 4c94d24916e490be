"""``keytrust show``"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from keytrust.cli.credential_view import credential_json, key_text, source_text, time_text, usage_text
from keytrust.cli.options import Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import out, print_json, safe, table
from keytrust.cli.wiring import open_estate
from keytrust.directory.account import Account, guid_text
from keytrust.sync.journal import Journal, JournalEntry
from keytrust.sync.stored import StoredKey

_STATES = {True: "enabled", False: "[yellow]disabled[/]", None: "[yellow]whether it is enabled may not be read[/]"}


def show(
    user: Annotated[str, typer.Argument(metavar="USER", help="sAMAccountName, UPN, SID or distinguished name.")],
    domain: DomainLabel = None,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Show an account's keys as the directory holds them, and what keytrust did to the account."""
    with open_estate(settings(), cloud=False, only=domain) as estate:
        member, account = estate.find(user)
        runs = member.runs
        keys = [StoredKey.read(raw) for raw in account.values]
        if json:
            print_json(_json(account, keys, runs.journal))
            return
        state = _STATES[account.enabled]
        out.print(
            f"[bold]{safe(account.name)}[/]  {safe(account.upn or '')}  {state}"
            + ("  [yellow]privileged (adminCount=1)[/]" if account.protected else "")
        )
        out.print(f"[dim]{safe(account.dn)}\n{account.sid}  {guid_text(account.guid)}[/]\n")
        _show_keys(account, keys, runs.journal)
        _show_history(runs.journal.entries(guid=account.guid))


def _show_keys(account: Account, keys: list[StoredKey], journal: Journal) -> None:
    if not keys:
        out.print("No key: this account cannot sign in by key.")
        return
    for key in keys:
        _show_key(key, journal.wrote(account.guid, key.raw))


def _show_key(key: StoredKey, run: str | None) -> None:
    """One key as a few lines: as a row of a table it would fit no ordinary terminal."""
    credential = key.credential
    writer = f"by keytrust, run {run}" if run else "[yellow]by somebody else, kept[/]"
    if credential is None:
        shown = key.raw[:60].decode("utf-8", "replace")
        out.print(f"[yellow]Unreadable value[/] {safe(shown)}{'…' if len(key.raw) > 60 else ''}")
        out.print(f"  written  {writer}")
        return
    out.print(f"[bold]Key {(credential.key_id or b'').hex()[:16]}…[/]  {safe(key_text(credential))}")
    out.print(f"  usage    {usage_text(credential)}, source {source_text(credential)}")
    out.print(f"  device   {credential.device_id or 'not said'}")
    out.print(f"  created  {time_text(credential.created) or 'not said'}")
    out.print(f"  written  {writer}")
    for problem in credential.problems():
        out.print(f"  [yellow]{problem.code}[/] {safe(problem.message)}")


def _show_history(entries: list[JournalEntry]) -> None:
    if not entries:
        return
    out.print("\n[bold]History[/]")
    rows = table("Time (UTC)", "Run", "Change", "Key", "Outcome")
    for entry in entries:
        key = entry.change.key_id.hex()[:16] + "…"
        rows.add_row(entry.at[:19].replace("T", " "), entry.run, entry.change.action, key, entry.outcome or "not known")
    out.print(rows)


def _json(account: Account, keys: list[StoredKey], journal: Journal) -> dict[str, Any]:
    return {
        "name": account.name,
        "upn": account.upn,
        "dn": account.dn,
        "sid": account.sid,
        "guid": guid_text(account.guid),
        "enabled": account.enabled,
        "privileged": account.protected,
        "keys": [
            {
                "value": key.raw.decode("utf-8", "surrogateescape"),
                "readable": key.credential is not None,
                "writtenBy": journal.wrote(account.guid, key.raw),
                "credential": credential_json(key.credential) if key.credential else None,
            }
            for key in keys
        ],
        "history": [
            {
                "at": entry.at,
                "run": entry.run,
                "action": entry.change.action.value,
                "keyId": entry.change.key_id.hex(),
                "outcome": entry.outcome.value if entry.outcome else None,
                "reason": entry.change.reason,
            }
            for entry in journal.entries(guid=account.guid)
        ],
    }
