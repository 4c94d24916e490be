"""``keytrust sync``"""

from __future__ import annotations

from typing import Annotated

import typer

from keytrust.cli.estate_view import combined_exit, print_outcomes, show_faults, show_plans, show_reports
from keytrust.cli.options import AllowRemovals, Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import bar
from keytrust.cli.plan import plan as plan_command
from keytrust.cli.wiring import open_estate
from keytrust.sync.joint_plan import DomainOutcome


def sync(
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="The same as keytrust plan.")] = False,
    domain: DomainLabel = None,
    json: Json = False,
    allow_removals: AllowRemovals = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Plan and carry out in one go, without questions: for a timer.

    A domain that cannot be had does not stop the others.

    Exits with 0 when both sides agree afterwards, 3 when removals were held back, changes failed or a domain was left
    out, 1 on an error.
    """
    if dry_run:
        plan_command(json=json, domain=domain, allow_removals=allow_removals)
    total = 0
    several = False
    left_out: set[str] = set()

    def seen(planned: list[DomainOutcome]) -> None:
        nonlocal total
        total = sum(len(each.plan.changes) for each in planned if each.plan is not None)
        left_out.update(each.label for each in planned if each.fault is not None)
        if not json:
            show_plans(planned, several=several)

    with open_estate(settings(), only=domain) as estate, bar("changes") as progress:
        several = estate.several
        done = estate.sync(allow_removals=allow_removals, seen=seen, progress=lambda count: progress(count, total))
    if json:
        print_outcomes(done, several=several, reports=True)
    else:
        show_reports(done, several=several)
        show_faults([each for each in done if each.label not in left_out])
    raise typer.Exit(combined_exit(done))
