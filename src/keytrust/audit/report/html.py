"""One self-contained page for people who were not there: no script, nothing fetched, every name escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import islice
from typing import IO

from keytrust import __version__
from keytrust.audit.catalogue import CATALOGUE
from keytrust.audit.census import AGES
from keytrust.audit.model import Code, Finding, Severity
from keytrust.audit.report.charts import bars
from keytrust.audit.report.result import Result
from keytrust.audit.report.style import STYLE
from keytrust.audit.rules.context import Registered
from keytrust.visible import as_html

SHOWN_OF_EACH = 100
"""Lines of one kind of finding; the rest is counted, and is all in CSV and JSON."""

_STATES = {
    Registered.YES: "good",
    Registered.LOCALLY: "good",
    Registered.NO: "critical",
    Registered.UNKNOWN: "medium",
    Registered.NOT_ASKED: "plain",
}
_DEVICE_STATES = {
    **{"present": "good", "disabled": "medium", "no such device": "high"},
    **{"no device in the key": "low", "not checked": "plain"},
}
_WRITERS = (Code.BROAD_WRITER, Code.UNEXPECTED_WRITER, Code.ADPREP_DEFECT, Code.UNREADABLE_DESCRIPTOR)


def write(result: Result, out: IO[str]) -> None:
    """The page."""
    kept = _by_code(result)
    for part in _page(result, kept):
        out.write(part)


def _by_code(result: Result) -> dict[Code, list[Finding]]:
    """The first findings of each kind; worst first, as they come."""
    kept: dict[Code, list[Finding]] = {}
    for finding in result.findings:
        several = kept.setdefault(finding.code, [])
        if len(several) < SHOWN_OF_EACH:
            several.append(finding)
    return kept


def _page(result: Result, kept: dict[Code, list[Finding]]) -> Iterator[str]:
    scope, census = result.scope, result.outcome.census
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Key credential audit: {as_html(scope.subject)}</title><style>{STYLE}</style></head><body><main>"
        f'<header><p class="kicker">Key credential audit</p><h1>{as_html(scope.subject)}</h1>'
        f"<p>{scope.made_at:%d %B %Y, %H:%M} UTC · keytrust {escape(__version__)}</p></header>"
    )
    yield _verdict(result)
    yield _severities(result)
    yield (
        '<section class="facts">'
        + "".join(
            f"<div><b>{'not checked' if number is None else f'{number:,}'}</b><span>{what}</span></div>"
            for number, what in (
                (census.users, "users scanned"),
                (census.users_with_keys, "users with keys"),
                (census.computers_with_keys, "computers with keys"),
                (census.values, "values read"),
                (census.roca, "ROCA-weak keys"),
                (census.orphaned if result.outcome.devices else None, "orphaned keys"),
            )
        )
        + "</section>"
    )
    yield _not_checked(result)
    yield _charts(result)
    writers = [code for code in kept if code in _WRITERS]
    if writers:
        yield "<h2>Who could plant a key</h2>"
        yield from (_kind(result, code, kept[code]) for code in writers)
    yield "<h2>Findings</h2>" if len(kept) > len(writers) else ""
    yield from (_kind(result, code, kept[code]) for code in kept if code not in _WRITERS)
    yield (
        f"<footer>Compared with {as_html(scope.cloud) or 'no list of registered keys'}; devices from "
        f"{as_html(result.outcome.devices) or 'nowhere'}. {result.findings.accepted:,} findings are accepted by the "
        "baseline and left out.</footer></main></body></html>\n"
    )


def _verdict(result: Result) -> str:
    worst = result.findings.worst()
    if worst is None:
        return '<p class="verdict good">Nothing was found.</p>'
    urgent = sum(result.findings.severities[severity] for severity in (Severity.CRITICAL, Severity.HIGH))
    if not urgent:
        return '<p class="verdict medium">Nothing urgent was found. What was found is worth tidying up.</p>'
    counts = result.findings.counts
    # A key that is not registered often bears a tool's mark too: it is one key.
    planted = max(counts[Code.NOT_REGISTERED] + counts[Code.NO_CLOUD_USER], counts[Code.TOOL_MARK])
    said = "1 finding needs attention now" if urgent == 1 else f"{urgent:,} findings need attention now"
    said += f"; {planted:,} {'key' if planted == 1 else 'keys'} may be planted." if planted else "."
    return f'<p class="verdict {worst}">{said}</p>'


def _severities(result: Result) -> str:
    cards = "".join(
        f'<div class="card {severity}"><b>{result.findings.severities[severity]:,}</b><span>{severity}</span></div>'
        for severity in Severity
    )
    return f'<section class="cards">{cards}</section>'


def _not_checked(result: Result) -> str:
    sentences = result.not_checked()
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<aside><b>Not checked</b><ul>{items}</ul></aside>"


def _charts(result: Result) -> str:
    census, counts = result.outcome.census, result.findings.counts
    by_finding = sorted(counts, key=lambda code: (CATALOGUE[code].severity.rank, -counts[code]))
    found = [(CATALOGUE[code].title, counts[code], CATALOGUE[code].severity.value) for code in islice(by_finding, 12)]
    ages = [(age, census.ages[age], "accent") for age in AGES]
    devices = [(state, census.devices[state], colour) for state, colour in _DEVICE_STATES.items()]
    registered = [(state.value, census.registration[state.value], colour) for state, colour in _STATES.items()]
    privileged = [(state.value, census.privileged[state.value], colour) for state, colour in _STATES.items()]
    charts = (
        bars("Findings by kind", found),
        bars("Windows Hello keys by age", ages),
        bars("Windows Hello keys by registration", [row for row in registered if row[1]]),
        bars("The same on privileged accounts", [row for row in privileged if row[1]]),
        bars("Windows Hello keys by device", [row for row in devices if row[1]]),
        bars("Values by usage", [(usage, number, "accent") for usage, number in census.usages.most_common(8)]),
    )
    return f'<section class="charts">{"".join(charts)}</section>'


def _kind(result: Result, code: Code, findings: list[Finding]) -> str:
    entry, number = CATALOGUE[code], result.findings.counts[code]
    rows = "".join(_row(finding) for finding in findings)
    rest = number - len(findings)
    more = f'<p class="more">… and {rest:,} more, all of them in --format csv and json.</p>' if rest else ""
    severity = findings[0].severity
    is_open = " open" if severity.at_least(Severity.HIGH) else ""
    return (
        f'<details class="kind {severity}"{is_open}><summary><span class="tag">{severity}</span>'
        f'<b>{escape(entry.title)}</b><span class="count">{number:,}</span></summary>'
        f'<p>{escape(entry.meaning)}</p><p class="todo"><b>What to do.</b> {escape(entry.remedy)}</p>'
        f"<table><thead><tr><th>Account</th><th>What was seen</th><th>Details</th></tr></thead><tbody>{rows}</tbody>"
        f"</table>{more}</details>"
    )


def _row(finding: Finding) -> str:
    privileged = '<span class="tag">privileged</span>' if finding.privileged else ""
    details = dict(finding.evidence)
    details.pop("value", None)
    if finding.key_id:
        details = {"KeyID": finding.key_id[:16] + "…", **details}
    listed = "".join(f"<dt>{as_html(name)}</dt><dd>{as_html(value)}</dd>" for name, value in details.items() if value)
    below = finding.dn if finding.dn != finding.account else ""
    return (
        f"<tr><td><b>{as_html(finding.account)}</b> {privileged}<small>{as_html(below or finding.sid)}</small></td>"
        f"<td>{as_html(finding.message)}</td><td><dl>{listed}</dl></td></tr>"
    )
