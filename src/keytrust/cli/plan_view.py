"""Plans and run reports as people see them."""

from __future__ import annotations

from typing import Any

from keytrust.cli.exits import ExitCode
from keytrust.cli.output import out, safe, safe_lines, table
from keytrust.sync.journal import Outcome
from keytrust.sync.model import Action, Change, Plan
from keytrust.sync.report import RunReport

SHOWN = 50
"""Lines of one kind that a table shows; the rest is counted, and is all in ``--json``."""

_SIGN = {Action.ADD: "[green]+ add[/]", Action.REMOVE: "[red]- remove[/]"}


def show_plan(plan: Plan) -> None:
    """The plan as tables and one closing line."""
    if plan.changes:
        _changes(plan.changes)
    if plan.held:
        out.print(f"\n[bold yellow]Held back:[/] {safe(plan.held_because)}.")
        _changes(plan.held)
        out.print(f"If these are right: [bold]--allow-removals {len(plan.held)}[/] for this one run.")
    _sentences("Conflicts, left alone until a person resolves them", [c.sentence for c in plan.conflicts])
    _sentences("Refused keys", [r.sentence for r in plan.refusals])
    if plan.unread:
        out.print(
            f"[bold yellow]Not checked:[/] whether accounts of {safe(', '.join(plan.unread))}, which could not be read,"
            " hold these keys or have these source anchors."
        )
    out.print(
        ("\n" if plan.changes or plan.held or plan.conflicts or plan.refusals else "") + safe_lines(summary(plan))
    )


def summary(plan: Plan) -> str:
    """One or two lines: what would be done, what was seen."""
    census = plan.census
    todo = f"{plan.additions} to add, {plan.removals} to remove" if plan.changes else "Nothing to do"
    extra = "".join(
        f", {number} {what}"
        for number, what in (
            (len(plan.held), "held back"),
            (len(plan.conflicts), "conflicts"),
            (len(plan.refusals), "refused"),
            (census.unreadable, "unreadable values kept"),
            (census.unknown, "users whose keys the cloud did not tell"),
            (census.out_of_scope, "matched accounts out of scope"),
        )
        if number
    )
    return (
        f"{todo}{extra}.\n"
        f"{plan.context.source}: {census.cloud_users:,} users. {plan.context.domain}: {census.accounts:,} accounts, "
        f"{census.matched:,} matched, {census.present:,} of {census.registered:,} registered keys in place, "
        f"{census.foreign:,} other values kept."
    )


def show_report(report: RunReport) -> None:
    """What became of a run."""
    for result in [r for r in report.results if r.outcome is not Outcome.CONFIRMED][:SHOWN]:
        detail = f": {result.detail}" if result.detail else ""
        out.print(f"[yellow]{result.outcome}[/] {safe(f'{result.change.action} {result.change.account.name}{detail}')}")
    for note in report.notes[:SHOWN]:
        out.print(f"[yellow]Note:[/] {safe(note)}.")
    if report.stopped_because:
        out.print(f"[bold red]Stopped:[/] {safe(report.stopped_because)}.")
    added = report.count(Outcome.CONFIRMED, Action.ADD)
    removed = report.count(Outcome.CONFIRMED, Action.REMOVE)
    rest = len(report.results) - added - removed
    tail = f", [yellow]{rest} not done or not confirmed[/]" if rest else ""
    out.print(f"Run [bold]{report.run}[/]: {added} added, {removed} removed, all read back{tail}.")
    out.print(f"[dim]To take it back: keytrust undo {report.run}[/]")


def report_json(report: RunReport) -> dict[str, Any]:
    """A run report as JSON-ready data."""
    return {
        "run": report.run,
        "complete": report.complete,
        "stoppedBecause": report.stopped_because,
        "notes": list(report.notes),
        "results": [
            {
                "action": result.change.action.value,
                "account": result.change.account.name,
                "dn": result.change.account.dn,
                "keyId": result.change.key_id.hex(),
                "outcome": result.outcome.value,
                "detail": result.detail,
            }
            for result in report.results
        ],
    }


def exit_code(plan: Plan | None, report: RunReport | None) -> ExitCode:
    """How a run ends for the shell."""
    if (plan is not None and plan.held) or (report is not None and not report.complete):
        return ExitCode.INCOMPLETE
    return ExitCode.OK


def _changes(changes: tuple[Change, ...]) -> None:
    rows = table("Change", "Account", "Key", "Why")
    for change in changes[:SHOWN]:
        rows.add_row(
            _SIGN[change.action], safe(change.account.name), change.key_id.hex()[:16] + "…", safe(change.reason)
        )
    out.print(rows)
    if len(changes) > SHOWN:
        out.print(f"[dim]… and {len(changes) - SHOWN:,} more (--json shows all).[/]")


def _sentences(title: str, sentences: list[str]) -> None:
    if not sentences:
        return
    out.print(f"\n[bold yellow]{title}:[/]")
    for sentence in sentences[:SHOWN]:
        out.print(f"  {safe(sentence)}")
    if len(sentences) > SHOWN:
        out.print(f"  [dim]… and {len(sentences) - SHOWN:,} more (--json shows all).[/]")
