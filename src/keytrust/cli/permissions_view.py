"""What the connector account may do, and whom it does not reach, for people and as JSON."""

from __future__ import annotations

from typing import Any

from keytrust.cli.output import counted, hanging, out, safe
from keytrust.deploy.permissions.reach import Reach
from keytrust.deploy.permissions.trial import Finding, Trial, worst_first

_SHOWN = 5


def show_reach(reached: Reach) -> None:
    """How many accounts are reached, and the others by cause."""
    missing = sum(reached.causes.values())
    out.print(f"\n[bold]Reach[/]  {reached.accounts - missing:,} of {reached.accounts:,} accounts of people")
    for cause, number in reached.causes.most_common():
        out.print(f"[yellow]{number:,} not reached[/]  {cause}")
        for each in (each for each in reached.unreached if each.cause is cause):
            where = f"  [dim](at {safe(each.where)})[/]" if each.where else ""
            out.print(f"  {safe(each.dn)}{where}")
    if missing > len(reached.unreached):
        out.print(f"[dim]{missing - len(reached.unreached):,} more: --all lists them.[/]")


def show_trial(trial: Trial) -> None:
    """What the account may do, and what it should not."""
    few = f" (of {trial.all_units:,})" if trial.units < trial.all_units else ""
    out.print(
        f"\n[bold]Tried as the connector account[/]  {counted(trial.samples, 'account')} of people in"
        f" {counted(trial.units, 'unit')}{few}; a computer, a domain controller, a group, the domain, AdminSDHolder"
    )
    if not trial.findings:
        out.print("[green]It may read and write keys, and nothing else.[/]")
    shown: dict[str, int] = {}
    for finding in worst_first(trial.findings):
        shown[finding.code] = shown.get(finding.code, 0) + 1
        if shown[finding.code] <= _SHOWN:
            out.print(hanging(_label(finding), safe(finding.sentence)))
    for code, number in shown.items():
        if number > _SHOWN:
            out.print(f"[dim]{number - _SHOWN:,} more of {code}: --json shows them.[/]")


def _label(finding: Finding) -> str:
    return "[red]too little[/]" if finding.too_little else "[yellow]too much[/]"


def reach_json(reached: Reach) -> dict[str, Any]:
    """JSON-ready data."""
    return {
        "accounts": reached.accounts,
        "notReached": {cause.name.lower().replace("_", "-"): number for cause, number in reached.causes.items()},
        "examples": [
            {"dn": each.dn, "cause": each.cause.name.lower().replace("_", "-"), "at": each.where or None}
            for each in reached.unreached
        ],
    }


def trial_json(trial: Trial) -> dict[str, Any]:
    """JSON-ready data."""
    return {
        "samples": trial.samples,
        "units": trial.units,
        "allUnits": trial.all_units,
        "token": sorted(trial.token),
        "findings": [
            {
                "code": finding.code.value,
                "tooLittle": finding.too_little,
                "subject": finding.subject,
                "sentence": finding.sentence,
            }
            for finding in worst_first(trial.findings)
        ],
    }
