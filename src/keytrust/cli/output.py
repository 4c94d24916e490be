"""Writing to the terminal: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from keytrust.errors import KeytrustError

Count = Callable[[int], None]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(data: Any) -> None:
    """One JSON document on standard output, and nothing else there."""
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def table(*columns: str) -> Table:
    """An empty table in the house style. Cells fold and are never cut off."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def say(text: str) -> None:
    """One line for people, on standard error, so that standard output stays clean for ``--json`` and pipes."""
    err.print(escape(text))


def show_error(error: KeytrustError, *, verbose: bool) -> None:
    """An error's three sentences, and with ``-v`` the detail behind it."""
    err.print(f"[bold red]Error:[/] {escape(_sentence(error.message))}", soft_wrap=True)
    if error.not_done:
        err.print(f"[bold]Not done:[/] {escape(_sentence(error.not_done))}", soft_wrap=True)
    if error.remedy:
        err.print(f"[bold]What to do:[/] {escape(_sentence(error.remedy))}", soft_wrap=True)
    if error.detail and verbose:
        err.print(f"[dim]Detail:[/] {escape(error.detail)}", soft_wrap=True)
    elif error.detail:
        err.print("[dim]-v shows the detail.[/]")


def ask(question: str, *, unattended: bool = True) -> bool:
    """Ask on a terminal. Where there is none nobody can answer, and ``unattended`` is the answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return unattended
    return err.input(f"{escape(question)} [dim]\\[y/N][/] ").strip().lower() in ("y", "yes")


@contextmanager
def counting(*what: str) -> Iterator[list[Count]]:
    """Show one running count for each thing, while it is a terminal that looks on."""
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with progress:
        tasks = [progress.add_task(escape(each), total=None) for each in what]
        yield [lambda done, task=task: progress.update(task, completed=done) for task in tasks]  # type: ignore[misc]


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar; the function takes the number done and the total."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with progress:
        task = progress.add_task(escape(what), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _sentence(text: str) -> str:
    """With a capital letter and a full stop, which not every message brings along."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
