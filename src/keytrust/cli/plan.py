"""``keytrust plan``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import AllowRemovals, Config, Json, Verbose, settings
from keytrust.cli.output import counting, out, print_json, say
from keytrust.cli.plan_view import show_plan
from keytrust.cli.wiring import open_runs
from keytrust.sync import planfile
from keytrust.sync.model import Plan
from keytrust.sync.runs import Runs


def plan(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Save the plan, to be reviewed and applied exactly as it is."
        ),
    ] = None,
    json: Json = False,
    allow_removals: AllowRemovals = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Show what a sync would change, and change nothing.

    Exits with 0 when there is nothing to do, 2 when there are changes, 1 on an error.
    """
    with open_runs(settings()) as (runs, _):
        made = read_both(runs, allow_removals)
    if output is not None:
        planfile.save(made, output)
    if json:
        print_json(planfile.to_json(made))
    else:
        show_plan(made)
        if output is not None and made.changes:
            out.print(f"Saved to [bold]{output}[/]. To carry out exactly this: keytrust apply {output}")
    if output is not None and json:
        say(f"Saved to {output}.")
    raise typer.Exit(ExitCode.CHANGES if made.changes or made.held else ExitCode.OK)


def read_both(runs: Runs, allow_removals: int | None) -> Plan:
    """Make a plan, showing how far the reading has got."""
    with counting("registered keys: users read", "directory: accounts read") as (cloud, directory):
        return runs.plan(allow_removals=allow_removals, cloud_progress=cloud, directory_progress=directory)
