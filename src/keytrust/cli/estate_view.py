"""Plans, reports and faults of one or several domains as people and programs see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import given
from keytrust.cli.output import err, out, print_json, safe, show_error
from keytrust.cli.plan_view import exit_code, report_json, show_plan, show_report
from keytrust.errors import KeytrustError
from keytrust.sync import planfile
from keytrust.sync.joint_plan import DomainOutcome


def show_plans(outcomes: Sequence[DomainOutcome], *, several: bool) -> None:
    """Each domain's plan, under its name when there are several."""
    for outcome in outcomes:
        if outcome.plan is not None:
            heading(outcome.label, several=several)
            show_plan(outcome.plan)
    show_faults(outcomes)


def show_reports(outcomes: Sequence[DomainOutcome], *, several: bool) -> None:
    """What became of each domain's plan."""
    for outcome in outcomes:
        if outcome.report is not None:
            heading(outcome.label, several=several)
            show_report(outcome.report)


def heading(label: str, *, several: bool) -> None:
    """The name of the domain that what follows is about."""
    if several:
        out.print(f"\n[bold cyan]{safe(label)}[/]")


def show_faults(outcomes: Sequence[DomainOutcome]) -> None:
    """The domains that could not be worked on, and why."""
    show_faults_of({outcome.label: outcome.fault for outcome in outcomes if outcome.fault is not None})


def show_faults_of(faults: dict[str, KeytrustError]) -> None:
    """As ``show_faults``, given by label."""
    for label, fault in faults.items():
        err.print(f"\n[bold red]{safe(label)} was left out.[/]")
        show_error(fault, verbose=given.verbose)


def print_outcomes(outcomes: Sequence[DomainOutcome], *, several: bool, reports: bool) -> None:
    """JSON: with one domain its plan, or its plan and report; with several ``{"domains": [...]}``."""
    if several:
        print_json({"domains": [_outcome(each, reports=reports) for each in outcomes]})
        return
    [only] = outcomes
    plan = planfile.to_json(only.plan) if only.plan is not None else None
    print_json({"plan": plan, "report": report_json(only.report) if only.report else None} if reports else plan)


def _outcome(outcome: DomainOutcome, *, reports: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "label": outcome.label,
        "plan": planfile.to_json(outcome.plan) if outcome.plan is not None else None,
        "error": fault_json(outcome.fault) if outcome.fault is not None else None,
    }
    if reports:
        told["report"] = report_json(outcome.report) if outcome.report is not None else None
    return told


def fault_json(fault: KeytrustError) -> dict[str, str]:
    """An error as JSON-ready data."""
    return {"message": fault.message, "notDone": fault.not_done, "remedy": fault.remedy, "detail": fault.detail}


def combined_exit(outcomes: Sequence[DomainOutcome]) -> ExitCode:
    """How a run over domains ends for the shell: done in part when any of them was left out or has something left."""
    codes = {
        ExitCode.INCOMPLETE if outcome.fault is not None else exit_code(outcome.plan, outcome.report)
        for outcome in outcomes
    }
    return ExitCode.INCOMPLETE if ExitCode.INCOMPLETE in codes else ExitCode.OK


def file_for(path: Path, label: str, *, several: bool) -> Path:
    """Where a domain's plan is saved: with several domains, each has a file of its own with its label in the name."""
    return path.with_name(f"{path.stem}.{label}{path.suffix}") if several else path
