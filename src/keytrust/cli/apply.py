"""``keytrust apply``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keytrust.cli.options import AllowRemovals, Config, Json, Verbose, Yes, settings
from keytrust.cli.output import ask, bar, print_json, say
from keytrust.cli.plan import read_both
from keytrust.cli.plan_view import exit_code, report_json, show_plan, show_report
from keytrust.cli.wiring import open_runs
from keytrust.sync import planfile


def apply(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A plan saved by plan -o. Without it, one is made and shown."),
    ] = None,
    yes: Yes = False,
    json: Json = False,
    allow_removals: AllowRemovals = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Carry out a reviewed plan exactly as it was seen.

    A plan whose world has moved (a key revoked, an account renamed, a value changed since) is refused as a whole, and
    what moved is told. Exits with 0 when all is done and read back, 3 when something was held back or failed.
    """
    with open_runs(settings()) as (runs, _):
        if file is not None:
            plan = planfile.load(file)
        else:
            plan = read_both(runs, allow_removals)
            if not json:
                show_plan(plan)
        if not plan.changes:
            if json:
                print_json({"run": None, "complete": not plan.held, "results": []})
            elif file is not None:
                say("The plan holds no changes.")
            raise typer.Exit(exit_code(plan, None))
        if file is None and not yes and not ask(f"Make these {len(plan.changes)} changes?"):
            say("Nothing was changed.")
            raise typer.Exit
        with bar("changes") as progress:
            report = runs.apply_saved(
                plan, allow_removals=allow_removals, progress=lambda done: progress(done, len(plan.changes))
            )
    if json:
        print_json(report_json(report))
    else:
        show_report(report)
    raise typer.Exit(exit_code(plan, report))
