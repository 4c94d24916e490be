"""Writing to the terminal: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from keytrust.errors import KeytrustError
from keytrust.visible import visible

Count = Callable[[int], None]

_MARKUP = re.compile(r"(\\*)(\[|\Z)")
_NO_STYLE = "[none][/none]"

# No emoji either: a name may hold :warning: and means that.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


def print_json(data: Any) -> None:
    """One JSON document on standard output, and nothing else there."""
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def safe(text: str) -> str:
    """A text of somebody else's for the terminal: no markup, and no invisible characters that steer it."""
    return _MARKUP.sub(_as_text, visible(text))


def _as_text(match: re.Match[str]) -> str:
    """A bracket that opens no tag, and backslashes before it or at the end that escape nothing.

    ``rich.markup.escape`` leaves brackets alone that open no tag, and so loses a backslash before them.
    """
    backslashes, bracket = match[1], match[2]
    return (backslashes * 2 + _NO_STYLE if backslashes else "") + ("\\[" if bracket else "")


def safe_lines(text: str) -> str:
    """As ``safe``, for a text of several lines."""
    return "\n".join(safe(line) for line in text.split("\n"))


def table(*columns: str) -> Table:
    """An empty table in the house style. Cells fold and are never cut off."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def hanging(mark: str, text: str) -> Table:
    """A mark, and a text of which every line begins beside it. Both are markup."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row(mark, text)
    return made


def counted(number: int, what: str) -> str:
    """``1 domain``, ``2,000 domains``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def say(text: str) -> None:
    """One line for people, on standard error, so that standard output stays clean for ``--json`` and pipes."""
    err.print(safe_lines(text))


def show_error(error: KeytrustError, *, verbose: bool) -> None:
    """An error's three sentences, and with ``-v`` the detail behind it."""
    err.print(f"[bold red]Error:[/] {safe(_sentence(error.message))}", soft_wrap=True)
    if error.not_done:
        err.print(f"[bold]Not done:[/] {safe(_sentence(error.not_done))}", soft_wrap=True)
    if error.remedy:
        err.print(f"[bold]What to do:[/] {safe(_sentence(error.remedy))}", soft_wrap=True)
    if error.detail and verbose:
        err.print(f"[dim]Detail:[/] {safe_lines(error.detail)}", soft_wrap=True)
    elif error.detail:
        err.print("[dim]-v shows the detail.[/]")


def can_ask() -> bool:
    """Whether there is a terminal with somebody on it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, unattended: bool = True) -> bool:
    """Ask on a terminal. Where there is none nobody can answer, and ``unattended`` is the answer."""
    if not can_ask():
        return unattended
    return err.input(f"{safe(question)} [dim]\\[y/N][/] ").strip().lower() in ("y", "yes")


@contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done, while it is a terminal that looks on; the function says what is done next."""
    with err.status(safe(what)) if err.is_terminal else nullcontext() as status:
        yield lambda text: status.update(safe(text)) if status is not None else None


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
        tasks = [progress.add_task(safe(each), total=None) for each in what]
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
        task = progress.add_task(safe(what), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def share(what: str) -> Iterator[Callable[[float], None]]:
    """Show a progress bar with the time that is left; the function takes the share that is done, 0 to 1."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with progress:
        task = progress.add_task(safe(what), total=1.0)
        yield lambda done: progress.update(task, completed=done)


def _sentence(text: str) -> str:
    """With a capital letter and a full stop, which not every message brings along; commands and names stay as typed."""
    first = text.partition(" ")[0]
    if first.isalpha() and first != "keytrust":
        text = text[:1].upper() + text[1:]
    return text + ("" if text.endswith((".", "!", "?")) else ".")
