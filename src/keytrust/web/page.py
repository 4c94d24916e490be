"""The status page: one self-contained document for people, without a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from keytrust import __version__
from keytrust.service.overview import DomainOverview
from keytrust.service.overview_text import headline, lines, span
from keytrust.visible import as_html

REFRESH_SECONDS = 5

_STYLE = """
:root{--ink:#1c2530;--soft:#5b6875;--line:#dfe4ea;--paper:#fff;--ground:#f4f6f8;--red:#a4133c;--yellow:#9a6200;
--green:#2c7a4b}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9fb0c0;--line:#2e3a46;--paper:#19222b;--ground:#10171e;
--red:#f0768a;--yellow:#e9b44c;--green:#6fcf97}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1000px;margin:0 auto;padding:32px 20px 60px}
h1{margin:0 0 4px;font-size:26px}.soft,footer{color:var(--soft)}
section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:16px 20px;margin:18px 0;
border-left:6px solid var(--soft)}
section.red{border-left-color:var(--red)}section.yellow{border-left-color:var(--yellow)}
section.green{border-left-color:var(--green)}
h2{display:flex;justify-content:space-between;gap:12px;margin:0 0 10px;font-size:19px;overflow-wrap:anywhere}
h2 b{white-space:nowrap}.red b{color:var(--red)}.yellow b{color:var(--yellow)}.green b{color:var(--green)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:10px;margin:0 0 12px}
.figures div{border:1px solid var(--line);border-radius:6px;padding:8px 12px}
.figures strong{display:block;font-size:22px;line-height:1.3;font-variant-numeric:tabular-nums}
.figures span{color:var(--soft);font-size:13px}
ul{margin:0 0 12px;padding-left:20px}li{overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse;margin-top:12px;font-size:14px}
th{text-align:left;color:var(--soft);font-weight:600;border-bottom:1px solid var(--line);padding:4px 10px 4px 0}
td{vertical-align:top;border-bottom:1px solid var(--line);padding:6px 10px 6px 0;overflow-wrap:anywhere}
footer{font-size:13px;margin-top:24px}
"""


def page(found: Sequence[DomainOverview], instance: str, fault: str = "") -> str:
    """The whole page.

    Args:
        found: How every domain fares.
        instance: What this instance is called.
        fault: Why that could not be read.
    """
    return "".join(_page(found, instance, fault))


def _page(found: Sequence[DomainOverview], instance: str, fault: str) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f'<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
    yield f"<title>keytrust: {as_html(_title(found, fault))}</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>keytrust</h1><p class=soft>{as_html(_title(found, fault))}</p>"
    if fault:
        yield f"<section class=red><h2>The store<b>does not answer</b></h2><p>{as_html(fault)}</p></section>"
    for each in found:
        yield from _domain(each)
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield f"<footer>As of {now}, on {as_html(instance)}, keytrust {as_html(__version__)}. Shown anew every"
    yield f" {REFRESH_SECONDS} seconds. <code>keytrust explain USER</code> answers for one user.</footer>"
    yield "</main></body></html>"


def _title(found: Sequence[DomainOverview], fault: str) -> str:
    if fault:
        return "the store does not answer"
    if not found:
        return "no domain has been worked on yet"
    behind = [each.name for each in found if headline(each)[1] == "red"]
    if behind:
        return f"{', '.join(behind)} not in step"
    return "1 domain in step" if len(found) == 1 else f"{len(found)} domains in step"


def _domain(overview: DomainOverview) -> Iterator[str]:
    word, colour = headline(overview)
    yield f"<section class={colour}><h2>{as_html(overview.name)}<b>{as_html(word)}</b></h2><div class=figures>"
    latency = overview.state.get("latency") or {}
    figures = (
        (f"{overview.waiting:,}", "waiting"),
        (span(latency.get("p50")) if latency else "none yet", "median latency"),
        (span(latency.get("p99")) if latency else "none yet", "99th percentile"),
        (f"{sum(overview.finding_count.values()):,}", "conflicts, refusals"),
        (f"{overview.set_aside_count:,}", "set aside"),
        (f"{overview.held_count:,}", "removals held"),
    )
    yield from (f"<div><strong>{as_html(figure)}</strong><span>{what}</span></div>" for figure, what in figures)
    yield "</div>"
    if overview.trouble:
        yield "<ul>" + "".join(f"<li>{as_html(each)}</li>" for each in overview.trouble) + "</ul>"
    rows = lines(overview)
    yield "<dl>" + "".join(f"<dt>{as_html(name)}</dt><dd>{as_html(text)}</dd>" for name, text in rows) + "</dl>"
    if overview.findings:
        yield "<table><tr><th>Since (UTC)</th><th>Kind</th><th>What</th></tr>"
        for finding in overview.findings:
            since = as_html(finding.since[:16].replace("T", " "))
            yield f"<tr><td>{since}</td><td>{as_html(finding.code)}</td><td>{as_html(finding.sentence)}</td></tr>"
        yield "</table>"
    if overview.set_aside:
        yield "<table><tr><th>Set aside</th><th>Why</th><th>Again in</th></tr>"
        for waiting in overview.set_aside:
            yield f"<tr><td>{as_html(waiting.name or '?')}</td><td>{as_html(waiting.reason)}</td>"
            yield f"<td>{span(waiting.again)} ({waiting.attempts} attempts)</td></tr>"
        yield "</table>"
    yield "</section>"
