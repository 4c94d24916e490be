"""``keytrust sync``"""

from __future__ import annotations

from typing import Annotated

import typer

from keytrust.cli.options import AllowRemovals, Config, Json, Verbose, settings
from keytrust.cli.output import bar, print_json
from keytrust.cli.plan import plan as plan_command
from keytrust.cli.plan_view import exit_code, report_json, show_plan, show_report
from keytrust.cli.wiring import open_runs
from keytrust.sync import planfile
from keytrust.sync.model import Plan


def sync(
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="The same as keytrust plan.")] = False,
    json: Json = False,
    allow_removals: AllowRemovals = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Plan and carry out in one go, without questions: for a timer.

    Exits with 0 when both sides agree afterwards, 3 when removals were held back or changes failed, 1 on an error.
    """
    if dry_run:
        plan_command(json=json, allow_removals=allow_removals)
    total = 0

    def seen(plan: Plan) -> None:
        nonlocal total
        total = len(plan.changes)
        if not json:
            show_plan(plan)

    with open_runs(settings()) as (runs, _), bar("changes") as progress:
        plan, report = runs.sync(allow_removals=allow_removals, seen=seen, progress=lambda done: progress(done, total))
    if json:
        print_json({"plan": planfile.to_json(plan), "report": report_json(report) if report else None})
    elif report is not None:
        show_report(report)
    raise typer.Exit(exit_code(plan, report))
