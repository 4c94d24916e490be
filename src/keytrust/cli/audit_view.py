"""An audit's result on the terminal."""

from __future__ import annotations

from itertools import islice

from keytrust.audit.catalogue import CATALOGUE
from keytrust.audit.model import Code, Severity
from keytrust.audit.report.result import Result
from keytrust.audit.report.whfbtools import counters
from keytrust.cli.output import out, safe, say, table

SHOWN = 50
_STYLES = {
    **{Severity.CRITICAL: "bold white on red", Severity.HIGH: "bold red", Severity.MEDIUM: "yellow"},
    **{Severity.LOW: "cyan", Severity.INFO: "dim"},
}


def show_result(result: Result) -> None:
    """The findings as a table, worst first, and what each kind means."""
    findings = result.findings
    rows = table("Severity", "Finding", "Account", "What was seen")
    for finding in islice(findings, SHOWN):
        mark = " [yellow]privileged[/]" if finding.privileged else ""
        style = _STYLES[finding.severity]
        rows.add_row(
            f"[{style}]{finding.severity}[/]", finding.code, safe(finding.account) + mark, safe(finding.message)
        )
    if len(findings):
        out.print(rows)
    if len(findings) > SHOWN:
        out.print(f"[dim]… and {len(findings) - SHOWN:,} more; --format csv, json or html -o FILE has all.[/]")
    _meanings(result)
    _closing(result)


def say_counters(result: Result) -> None:
    """The counters of WHfBTools, on standard error."""
    for line in counters(result.outcome.census, orphans_known=bool(result.outcome.devices)):
        say(line)


def _meanings(result: Result) -> None:
    counts = result.findings.counts
    kinds = sorted(counts, key=lambda code: (CATALOGUE[code].severity.rank, -counts[code]))
    for code in kinds:
        _meaning(code, counts[code])


def _meaning(code: Code, number: int) -> None:
    entry = CATALOGUE[code]
    out.print(f"\n[bold]{code}[/] ({number:,}): {safe(entry.meaning)}")
    out.print(f"[dim]What to do: {safe(entry.remedy)}[/]")


def _closing(result: Result) -> None:
    findings, census = result.findings, result.outcome.census
    found = ", ".join(f"{findings.severities[s]:,} {s}" for s in Severity if findings.severities[s]) or "Nothing found"
    accepted = f", {findings.accepted:,} accepted by the baseline" if findings.accepted else ""
    out.print(("\n" if len(findings) else "") + f"[bold]{found}[/]{accepted}.")
    out.print(
        f"{safe(result.scope.subject)}: {census.users:,} users, {census.users_with_keys:,} with keys; "
        f"{census.values:,} values, {census.user_keys:,} Windows Hello keys, {census.roca:,} ROCA-weak."
    )
    for sentence in result.not_checked():
        out.print(f"[yellow]Not checked:[/] {safe(sentence)}")
