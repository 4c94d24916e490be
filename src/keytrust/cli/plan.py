"""``keytrust plan``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keytrust.cli.estate_view import combined_exit, file_for, print_outcomes, show_plans
from keytrust.cli.exits import ExitCode
from keytrust.cli.options import AllowRemovals, Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import counting, out, safe, say
from keytrust.cli.wiring import open_estate
from keytrust.sync import planfile
from keytrust.sync.estate import Estate
from keytrust.sync.joint_plan import DomainOutcome


def plan(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Save the plan, to be reviewed and applied exactly as it is."
        ),
    ] = None,
    domain: DomainLabel = None,
    json: Json = False,
    allow_removals: AllowRemovals = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Show what a sync would change, and change nothing.

    With several domains each has its own plan, and -o plan.json saves plan.LABEL.json for each.

    Exits with 0 when there is nothing to do, 2 when there are changes, 3 when a domain was left out, 1 on an error.
    """
    with open_estate(settings(), only=domain) as estate:
        made = read_both(estate, allow_removals)
        several = estate.several
    saved: list[Path] = []
    for each in made:
        if output is not None and each.plan is not None and (each.plan.changes or not several):
            saved.append(file_for(output, each.label, several=several))
            planfile.save(each.plan, saved[-1])
    if json:
        print_outcomes(made, several=several, reports=False)
    else:
        show_plans(made, several=several)
    names = " ".join(map(str, saved))
    if saved and json:
        say(f"Saved to {names}.")
    elif saved and any(each.plan.changes for each in made if each.plan):
        out.print(f"Saved to [bold]{safe(names)}[/]. To carry out exactly this: keytrust apply {safe(names)}")
    raise typer.Exit(_exit(made))


def read_both(estate: Estate, allow_removals: int | None) -> list[DomainOutcome]:
    """Make the plans, showing how far the reading has got."""
    with counting("registered keys: users read", "directory: accounts read") as (cloud, directory):
        return estate.plan(allow_removals=allow_removals, cloud_progress=cloud, directory_progress=directory)


def _exit(made: list[DomainOutcome]) -> ExitCode:
    if any(each.fault is not None for each in made):
        return combined_exit(made)
    changes = any(each.plan.changes or each.plan.held for each in made if each.plan is not None)
    return ExitCode.CHANGES if changes else ExitCode.OK
