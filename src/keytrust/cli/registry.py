"""``keytrust registry``"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from keytrust.cli import registry_admin, registry_apps, registry_totp, registry_views
from keytrust.cli.exits import ExitCode
from keytrust.cli.options import AllowRemovals, Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import counting, err, out, print_json, safe, table
from keytrust.cli.wiring import open_domains
from keytrust.errors import KeytrustError

if TYPE_CHECKING:
    from keytrust.registry.user_import import ImportReport

_SHOWN = 20

app = typer.Typer(no_args_is_help=True, help="The self-hosted key registration service.")
app.add_typer(registry_apps.app, name="app")
app.command("totp")(registry_totp.totp)
app.command("users")(registry_views.users)
app.command("devices")(registry_views.devices)
app.command("keys")(registry_views.keys)
app.command("audit")(registry_views.audit)
app.command("revoke")(registry_admin.revoke)
app.command("disable")(registry_admin.disable)
app.command("enable")(registry_admin.enable)
app.command("add-device")(registry_admin.add_device)
app.command("remove-device")(registry_admin.remove_device)


@app.command()
def serve(config: Config = None, verbose: Verbose = False) -> None:
    """Serve key registration and the Graph-shaped API until told to stop (SIGTERM)."""
    from keytrust.registry.server import serve as run  # noqa: PLC0415 - the web framework is slow to load

    run(settings().need_registry())


@app.command("import")
def import_(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would be.")] = False,
    allow_removals: AllowRemovals = None,
    domain: DomainLabel = None,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Bring the registry's users in step with the directory's accounts.

    Users whose account is gone are deleted softly: they come back with it, and are purged after 30 days. When more are
    gone than the limit allows, nobody is deleted. Exits with 0 when both sides agree, 3 when deletions were held back
    or a domain could not be read.
    """
    from keytrust.registry.from_directory import import_domains  # noqa: PLC0415 - slow to load

    given = settings()
    with open_domains(given, domain) as (domains, closed), counting("directory: accounts read") as (progress,):
        if not domains:
            raise next(iter(closed.values()))
        report, unread = import_domains(
            given.need_registry(), domains, progress, allow_deletions=allow_removals, dry_run=dry_run
        )
    faults: dict[str, KeytrustError] = {**closed, **unread}
    if json:
        print_json({**asdict(report), "faults": {name: str(fault) for name, fault in faults.items()}})
    else:
        _show(report)
    for name, fault in faults.items():
        err.print(f"[yellow]{safe(name)} was not read completely:[/] {safe(str(fault))}", soft_wrap=True)
    if report.held or faults:
        raise typer.Exit(ExitCode.INCOMPLETE)


def _show(report: ImportReport) -> None:
    would = "would be " if report.dry_run else ""
    counts = {
        "added": report.added,
        "updated": report.updated - report.restored,
        "restored": report.restored,
        "deleted (softly)": report.removed,
        "purged": report.purged,
        "unchanged": report.unchanged,
    }
    shown = table("users", "")
    for name, count in counts.items():
        if count or name in ("added", "unchanged"):
            shown.add_row(name if name == "unchanged" else would + name, f"{count:,}")
    out.print(shown)
    for conflict in report.conflicts[:_SHOWN]:
        reason = "another account has the same source anchor, or a value cannot be stored."
        out.print(f"[yellow]left out[/] {safe(conflict)}: {reason}", soft_wrap=True)
    _more(len(report.conflicts))
    for account in report.unknown[:_SHOWN]:
        reason = "its userAccountControl may not be read: a user that is known stays as it was, and none is added."
        out.print(f"[yellow]not told[/] {safe(account)}: {reason}", soft_wrap=True)
    _more(len(report.unknown))
    if report.held or report.dry_run:
        for name in report.missing[:_SHOWN]:
            out.print(f"[red]gone[/] {safe(name)}", soft_wrap=True)
        _more(report.held or report.removed)
    if report.held:
        err.print(
            f"[bold red]Held back:[/] {report.held:,} users are gone from the directory, more than the limit of"
            f" {report.allowed:,}. Nobody was deleted.\n[bold]What to do:[/] See whether they are really gone; then"
            f" keytrust registry import --allow-removals {report.held}",
            soft_wrap=True,
        )


def _more(count: int) -> None:
    if count > _SHOWN:
        out.print(f"[dim]… and {count - _SHOWN:,} more[/]")
