"""How the results of checks are shown: a table by section, JSON, an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.table import Table

from keytrust.cli.exits import ExitCode
from keytrust.cli.output import counted, hanging, out, print_json, safe, table
from keytrust.deploy.checks import Check, Observation, Result, Verdict, worst
from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.world import Facts

_COLOURS = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.CANNOT_TELL: "magenta", Verdict.FAIL: "red"}
_EXITS = {
    Verdict.PASS: ExitCode.OK,
    Verdict.WARN: ExitCode.WARNINGS,
    Verdict.CANNOT_TELL: ExitCode.INCOMPLETE,
    Verdict.FAIL: ExitCode.CHANGES,
}
_NAMED = 3
"""How many subjects of one and the same evidence are named before they are only counted."""
_VERDICT_WIDTH = len(Verdict.CANNOT_TELL.value)


@dataclass(frozen=True, slots=True)
class Examined:
    """A domain's facts and what came of the checks."""

    facts: Facts
    results: tuple[Result, ...]


def exit_code(examined: Iterable[Examined], accepted: frozenset[str]) -> int:
    """The exit code for the worst of what is not accepted."""
    verdicts = [result.verdict for each in examined for result in each.results if result.check.id not in accepted]
    return int(_EXITS[worst(verdicts)] if verdicts else ExitCode.OK)


def show_results(examined: Examined, accepted: frozenset[str], *, every: bool) -> None:
    """Print the results by section, then what to do.

    Args:
        examined: A domain.
        accepted: Ids of checks whose outcome is accepted.
        every: Show all evidence, not only that which decided the verdict.
    """
    facts, results = examined.facts, examined.results
    name = facts.domain.name if not isinstance(facts.domain, Unread) else "a domain that could not be read"
    out.print(f"[bold]{safe(name)}[/], {counted(len(facts.controllers), 'domain controller')}")
    longest = max(len(result.check.id) for result in results)
    for section, group in groupby(results, key=lambda result: result.check.section):
        out.print(f"\n[bold]{section}[/]  [dim]{section.page}[/]", soft_wrap=True)
        rows = _rows(longest)
        for result in group:
            verdict = result.verdict
            accepting = " [dim](accepted)[/]" if result.check.id in accepted and verdict is not Verdict.PASS else ""
            rows.add_row(f"[{_COLOURS[verdict]}]{verdict}[/]", result.check.id, _evidence(result, every) + accepting)
        out.print(rows)
    _show_remedies([result for result in results if result.check.id not in accepted])
    counts = Counter(result.verdict for result in results)
    out.print("\n" + ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]))


def show_first(examined: Examined, configuration: str) -> None:
    """Print the first thing to put right: that the directory cannot be read, else failures in the guide's order."""
    wrong = [result for result in examined.results if result.verdict is not Verdict.PASS]
    again = f"keytrust doctor -c {safe(configuration)}"
    if isinstance(examined.facts.domain, Unread):
        out.print(f"\n[bold]First, put this right:[/] {safe(examined.facts.domain.why)}")
        out.print(f"Correct \\[directory] in {safe(configuration)}. Then: {again}", soft_wrap=True)
        return
    if not wrong:
        out.print(f"All {len(examined.results)} checks pass. Next: keytrust plan -c {safe(configuration)}")
        return
    order = (Verdict.FAIL, Verdict.CANNOT_TELL, Verdict.WARN)
    result = min(wrong, key=lambda each: order.index(each.verdict))
    out.print(f"\n[bold]First, put this right:[/] [{_COLOURS[result.verdict]}]{result.check.id}[/]")
    rows = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column(overflow="fold")
    rows.add_row("wanted", safe(result.check.title))
    rows.add_row("seen", _evidence(result, every=False))
    rows.add_row("why", safe(result.check.why))
    rows.add_row("do", safe(result.check.fix))
    out.print(rows)
    more = f"There is more ({len(wrong)} checks): " if len(wrong) > 1 else "Then: "
    out.print(f"\n{more}{again}", soft_wrap=True)


def show_catalogue(checks: Sequence[Check], *, json: bool) -> None:
    """Print what is checked."""
    if json:
        print_json([_check_json(check) for check in checks])
        return
    rows = table("check", "is fine when")
    for check in checks:
        rows.add_row(check.id, check.title)
    out.print(rows)


def everything_json(examined: Sequence[Examined], accepted: frozenset[str]) -> dict[str, Any]:
    """Everything, for programs: the domain, or with several a list of them."""
    if len(examined) == 1:
        return _json(examined[0], accepted)
    verdicts = [result.verdict for each in examined for result in each.results]
    return {
        "worst": worst(verdicts).value,
        "exitCode": exit_code(examined, accepted),
        "domains": [_json(each, accepted) for each in examined],
    }


def _json(examined: Examined, accepted: frozenset[str]) -> dict[str, Any]:
    facts, results = examined.facts, examined.results
    return {
        "domain": None if isinstance(facts.domain, Unread) else facts.domain.name,
        "at": facts.now.isoformat(),
        "worst": worst(result.verdict for result in results).value,
        "exitCode": exit_code([examined], accepted),
        "checks": [
            {
                **_check_json(result.check),
                "verdict": result.verdict.value,
                "accepted": result.check.id in accepted,
                "evidence": [
                    {"verdict": seen.verdict.value, "subject": seen.subject or None, "seen": seen.seen}
                    for seen in result.observations
                ],
            }
            for result in results
        ],
    }


def _check_json(check: Check) -> dict[str, str]:
    return {
        "id": check.id,
        "section": check.section.value,
        "page": check.section.page,
        "title": check.title,
        "why": check.why,
        "fix": check.fix,
    }


def _rows(longest: int) -> Table:
    rows = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    rows.add_column(width=_VERDICT_WIDTH)
    rows.add_column(width=longest, no_wrap=True)
    rows.add_column(overflow="fold")
    return rows


def _evidence(result: Result, every: bool) -> str:
    """What was seen, one line for each different thing, of that which decided the verdict."""
    shown = [seen for seen in result.observations if every or seen.verdict is result.verdict]
    alike: dict[tuple[Verdict, str], list[Observation]] = {}
    for seen in shown:
        alike.setdefault((seen.verdict, seen.seen), []).append(seen)
    mixed = len({verdict for verdict, _ in alike}) > 1
    lines = []
    for (verdict, text), group in alike.items():
        mark = f"[{_COLOURS[verdict]}]{verdict}[/] " if mixed else ""
        subjects = _subjects([each.subject for each in group if each.subject])
        lines.append(f"{mark}{safe(subjects)}{': ' if subjects else ''}{safe(text)}")
    return "\n".join(lines)


def _subjects(names: list[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"


def _show_remedies(results: Sequence[Result]) -> None:
    wrong = [result for result in results if result.verdict is not Verdict.PASS]
    if not wrong:
        return
    out.print("\n[bold]What to do[/]")
    for result in sorted(wrong, key=lambda result: -result.verdict.severity):
        out.print(f"[{_COLOURS[result.verdict]}]{result.check.id}[/]")
        out.print(hanging("  [dim]why[/]", safe(result.check.why)))
        out.print(hanging("  [dim]do[/] ", safe(result.check.fix)))
