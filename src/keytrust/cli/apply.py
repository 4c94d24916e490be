"""``keytrust apply``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keytrust.cli.estate_view import combined_exit, print_outcomes, show_faults, show_plans, show_reports
from keytrust.cli.options import AllowRemovals, Config, DomainLabel, Json, Verbose, Yes, settings
from keytrust.cli.output import ask, bar, print_json, say
from keytrust.cli.plan import read_both
from keytrust.cli.plan_view import report_json
from keytrust.cli.wiring import open_estate
from keytrust.sync import planfile
from keytrust.sync.joint_plan import DomainOutcome


def apply(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Plans saved by plan -o, each for another domain. Without any, plans are made and shown.",
            show_default=False,
        ),
    ] = None,
    yes: Yes = False,
    domain: DomainLabel = None,
    json: Json = False,
    allow_removals: AllowRemovals = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Carry out a reviewed plan exactly as it was seen.

    A plan whose world has moved (a key revoked, an account renamed, a value changed since) is refused as a whole, and
    what moved is told. A saved plan knows its domain.

    Exits with 0 when all is done and read back, 3 when something was held back, left out or failed.
    """
    with open_estate(settings(), only=domain) as estate:
        left_out: list[DomainOutcome] = []
        if files:
            planned = [DomainOutcome("", plan=planfile.load(file)) for file in files]
        else:
            planned = read_both(estate, allow_removals)
            left_out = [each for each in planned if each.fault is not None]
            if not json:
                show_plans(planned, several=estate.several)
        plans = [each.plan for each in planned if each.plan is not None and each.plan.changes]
        changes = sum(len(plan.changes) for plan in plans)
        if not changes:
            if json:
                complete = not any(each.plan.held for each in planned if each.plan is not None)
                print_json({"run": None, "complete": complete and not left_out, "results": []})
            elif files:
                say("The plan holds no changes.")
            raise typer.Exit(combined_exit(planned))
        if not files and not yes and not ask(f"Make these {changes} changes?"):
            say("Nothing was changed.")
            raise typer.Exit
        with bar("changes") as progress:
            done = estate.apply_saved(
                plans, allow_removals=allow_removals, progress=lambda count: progress(count, changes)
            )
        # A domain that was left out, or in which only removals are held back, has no report and is not finished.
        done += [each for each in planned if each.plan is None or (each.plan.held and not each.plan.changes)]
        several = len(done) > 1
    if json and not several and done[0].report is not None:
        print_json(report_json(done[0].report))
    elif json:
        print_outcomes(done, several=several, reports=True)
    else:
        show_reports(done, several=several)
        show_faults([each for each in done if each not in left_out])
    raise typer.Exit(combined_exit(done))
