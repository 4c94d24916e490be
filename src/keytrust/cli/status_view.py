"""How domains fare, as people see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keytrust.cli.output import safe
from keytrust.service.overview import DomainOverview
from keytrust.service.overview_text import headline, lines, span


def status_view(found: Sequence[DomainOverview], *, verbose: bool = False) -> RenderableType:
    """Every domain as a block of lines."""
    if not found:
        return Text("keytrust run has not worked on any domain yet.")
    clock = Text.from_markup(f"[dim]{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC[/]")
    return Group(*(part for each in found for part in _domain(each, verbose)), clock)


def _domain(overview: DomainOverview, verbose: bool) -> list[RenderableType]:
    word, colour = headline(overview)
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column(overflow="fold", ratio=1)
    for label, text in lines(overview):
        rows.add_row(label, safe(text))
    for trouble in overview.trouble:
        rows.add_row("", f"[yellow]{safe(trouble)}[/]")
    shown = len(overview.findings) if verbose else 3
    for finding in overview.findings[:shown]:
        rows.add_row(safe(finding.code), safe(finding.sentence))
    for waiting in overview.set_aside[: len(overview.set_aside) if verbose else 3]:
        again = f"{waiting.attempts} attempts, again in {span(waiting.again)}"
        rows.add_row("set aside", f"{safe(waiting.name or '?')}: {safe(waiting.reason)} [dim]({again})[/]")
    return [
        Text.from_markup(f"[bold]{safe(overview.name)}[/]  [bold {colour}]{word}[/]", emoji=False),
        Padding(rows, (0, 0, 1, 2)),
    ]
