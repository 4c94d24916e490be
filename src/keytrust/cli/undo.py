"""``keytrust undo``"""

from __future__ import annotations

from typing import Annotated

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Config, DomainLabel, Json, Verbose, Yes, settings
from keytrust.cli.output import ask, bar, out, print_json, safe, say, table
from keytrust.cli.plan_view import SHOWN, exit_code, report_json, show_report
from keytrust.cli.wiring import open_estate


def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or last (of --domain, where given).")],
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Only what the run did to this account.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be done, and do nothing.")] = False,
    yes: Yes = False,
    domain: DomainLabel = None,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Take back a run, value by value: remove what it added, put back what it removed.

    A value that somebody else has changed since is a conflict: it is reported and left alone, and the rest goes on. An
    undo is a run too and can itself be undone. Naming the run sets the bound on removals: what that run added.
    """
    with open_estate(settings(), cloud=False, only=domain) as estate:
        runs = estate.member_of_run(run, last_here=domain is not None).runs
        undone, plan = runs.plan_undo(run, account, last_here=domain is not None)
        if not json:
            rows = table("Change", "Account", "Key")
            for change in plan.changes[:SHOWN]:
                rows.add_row(change.action, safe(change.account.name), change.key_id.hex()[:16] + "…")
            out.print(rows if plan.changes else f"Run {undone} left nothing to take back.")
            if len(plan.changes) > SHOWN:
                out.print(f"[dim]… and {len(plan.changes) - SHOWN:,} more.[/]")
            for sentence in plan.conflicts:
                out.print(f"[yellow]conflict[/] {safe(sentence)}")
        report = None
        if plan.changes and not dry_run:
            if not yes and not ask(f"Make these {len(plan.changes)} changes?"):
                say("Nothing was changed.")
                raise typer.Exit
            with bar("changes") as progress:
                report = runs.undo(undone, plan, progress=lambda done: progress(done, len(plan.changes)))
    if json:
        print_json(
            {
                "undoes": undone,
                "conflicts": list(plan.conflicts),
                "changes": len(plan.changes),
                "report": report_json(report) if report else None,
            }
        )
    elif report is not None:
        show_report(report)
        say("A key that is still registered will be written again by the next sync: revoke it where it is registered.")
    raise typer.Exit(ExitCode.INCOMPLETE if plan.conflicts else exit_code(None, report))
