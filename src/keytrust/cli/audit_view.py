"""An audit's result on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table

from keytrust.audit.catalogue import CATALOGUE
from keytrust.audit.model import Code, Finding, Severity
from keytrust.audit.report.result import Result
from keytrust.audit.report.whfbtools import counters
from keytrust.cli.output import out, safe, say
from keytrust.visible import visible

SHOWN = 50
_STYLES = {
    **{Severity.CRITICAL: "bold white on red", Severity.HIGH: "bold red", Severity.MEDIUM: "yellow"},
    **{Severity.LOW: "cyan", Severity.INFO: "dim"},
}


def show_result(result: Result) -> None:
    """The findings, worst first, each kind under its name with what it means and what to do."""
    findings = result.findings
    groups: dict[tuple[Severity, Code], list[Finding]] = {}
    for finding in islice(findings, SHOWN):
        groups.setdefault((finding.severity, finding.code), []).append(finding)
    explained: set[Code] = set()
    width = _width([finding for group in groups.values() for finding in group])
    for (severity, code), group in groups.items():
        _heading(severity, code, result, explained)
        out.print(Padding(_rows(group, width), (0, 0, 1, 2)))
    rest = [code for code in findings.counts if code not in explained]
    for code in sorted(rest, key=lambda code: CATALOGUE[code].severity.rank):
        _heading(CATALOGUE[code].severity, code, result, explained)
        out.print()
    if len(findings) > SHOWN:
        out.print(f"[dim]… and {len(findings) - SHOWN:,} more; --format csv, json or html -o FILE has all.[/]\n")
    _closing(result)


def _heading(severity: Severity, code: Code, result: Result, explained: set[Code]) -> None:
    """The name of a kind of finding, and where it comes first what it means."""
    out.print(f"[{_STYLES[severity]}]{severity}[/]  [bold]{code}[/] ({result.findings.counts[code]:,})")
    if code not in explained:
        entry = CATALOGUE[code]
        out.print(Padding(f"{safe(entry.meaning)}\n[dim]What to do: {safe(entry.remedy)}[/]", (0, 0, 0, 2)))
    explained.add(code)


def _rows(group: Sequence[Finding], width: int) -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(overflow="fold", width=width)
    rows.add_column(overflow="fold", ratio=1)
    for finding in group:
        mark = " [yellow]privileged[/]" if finding.privileged else ""
        rows.add_row(safe(finding.account) + mark, safe(finding.message))
    return rows


def _width(shown: Sequence[Finding]) -> int:
    """How wide the names may be: as the longest, but a third of the line at most."""
    names = (visible(finding.account) + " privileged" * finding.privileged for finding in shown)
    return max(1, min(max(map(cell_len, names), default=0), out.width // 3))


def say_counters(result: Result) -> None:
    """The counters of WHfBTools, on standard error."""
    for line in counters(result.outcome.census, orphans_known=bool(result.outcome.devices)):
        say(line)


def _closing(result: Result) -> None:
    findings, census = result.findings, result.outcome.census
    found = ", ".join(f"{findings.severities[s]:,} {s}" for s in Severity if findings.severities[s]) or "Nothing found"
    accepted = f", {findings.accepted:,} accepted by the baseline" if findings.accepted else ""
    out.print(f"[bold]{found}[/]{accepted}.")
    out.print(
        f"{safe(result.scope.subject)}: {census.users:,} users, {census.users_with_keys:,} with keys; "
        f"{census.values:,} values, {census.user_keys:,} Windows Hello keys, {census.roca:,} ROCA-weak."
    )
    for sentence in result.not_checked():
        out.print(f"[yellow]Not checked:[/] {safe(sentence)}")
