"""A set-up step on the command line: shown, confirmed, carried out. One way for all of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from sqlalchemy import Engine

from keytrust.cli.exits import ExitCode
from keytrust.cli.output import ask, bar, can_ask, err, hanging, out, print_json, safe, say
from keytrust.config import Settings
from keytrust.deploy.errors import SetupError
from keytrust.deploy.identity import Identity, SetupDirectory, open_directory
from keytrust.deploy.journal import SetupJournal
from keytrust.deploy.runner import Actor, Became, StepReport, carry_out
from keytrust.deploy.step import Change, Step, World
from keytrust.directory.settings import DirectorySettings
from keytrust.store.database import open_store

As = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME@REALM", help="The administrator who sets up.", show_default=False),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="That administrator's password.", show_default=False),
]
KeytabFile = Annotated[
    Path | None, typer.Option("--keytab", metavar="FILE", help="That administrator's keytab.", show_default=False)
]
CacheFile = Annotated[
    Path | None,
    typer.Option("--ccache", metavar="FILE", help="Kerberos tickets (default: your own).", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be done, and do nothing.")]
Exact = Annotated[bool, typer.Option("--exact", help="Show each change in exact form too.")]


def identity(principal: str | None, password_file: Path | None, keytab: Path | None, ccache: Path | None) -> Identity:
    """The set-up identity that the options name; asks for the password where a name comes without one."""
    password = None
    if principal and not (password_file or keytab or ccache):
        password = _ask_password(principal)
    return Identity(principal, password, password_file, keytab, ccache)


def _ask_password(principal: str) -> str:
    if not err.is_terminal:
        raise SetupError(
            f"There is no terminal to ask on for the password of {principal}.",
            not_done="Nothing was changed.",
            remedy="Give --password-file or --keytab, or run kinit first and leave --as out.",
        )
    return err.input(f"Password of {safe(principal)}: ", password=True)


def show_step(step: Step, *, exact: bool) -> None:
    """Why, what and what to think of."""
    for sentence in step.why:
        out.print(safe(sentence))
    if not step.changes:
        out.print("[green]Nothing to change.[/]")
    for number, change in enumerate(step.changes, 1):
        out.print(hanging(f"[bold]{number}.[/]", safe(change.summary)))
        if exact:
            for line in change.exact():
                out.print(f"     [dim]{safe(line)}[/]", soft_wrap=True)
    for sentence in step.warnings:
        out.print(hanging("[yellow]Mind:[/]", safe(sentence)))


def confirm_and_carry_out(
    step: Step, world: World, store: Engine, actor: Actor, *, yes: bool, dry_run: bool, json: bool
) -> StepReport | None:
    """Ask unless told not to, then do it; None when nothing was done.

    Raises:
        SetupError: nobody said yes, and there is no terminal to ask on.
        KeytrustError: it could not be done.
    """
    if not step.changes or dry_run:
        return None
    number = len(step.changes)
    what = "this change" if number == 1 else f"these {number} changes"
    if not yes and not can_ask():
        raise SetupError(
            "There is no terminal to ask on.",
            not_done="Nothing was changed.",
            remedy="Look at it with --dry-run; then --yes says that it is meant.",
        )
    if not yes and not ask(f"Make {what} on {actor.server} as {actor.identity}?"):
        say("Nothing was changed.")
        raise typer.Exit(ExitCode.OK)
    with bar("changes") as progress:
        report = carry_out(step, world, SetupJournal(store), actor, lambda done: progress(done, number))
    if not json:
        made = sum(result.became is Became.DONE for result in report.results)
        out.print(f"Run [bold]{report.run}[/]: {made} {'change' if made == 1 else 'changes'} made and seen in effect.")
        if step.undoes is None:
            out.print(f"[dim]To take it back: keytrust setup undo {report.run}[/]")
    return report


def step_json(step: Step, report: StepReport | None) -> dict[str, Any]:
    """A step and what became of it as JSON-ready data."""
    return {
        "step": step.name,
        "title": step.title,
        "why": list(step.why),
        "warnings": list(step.warnings),
        "undoes": step.undoes,
        "changes": [_change_json(change) for change in step.changes],
        "run": report.run if report else None,
        "results": [{"summary": result.change.summary, "became": result.became.value} for result in report.results]
        if report
        else None,
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {"kind": change.kind, "summary": change.summary, "exact": change.exact()}


def run_in_directory(
    plan: Callable[[SetupDirectory], Step],
    configured: Settings,
    directory: DirectorySettings,
    who: Identity,
    *,
    exact: bool,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> NoReturn:
    """The whole of a command that is one step in the directory: sign in, plan, show, ask, do, and exit.

    Raises:
        typer.Exit: always; with CHANGES when a dry run shows some.
        KeytrustError: it could not be planned or done.
    """
    with ExitStack() as stack:
        store = open_store(configured.store.url)
        stack.callback(store.dispose)
        opened = stack.enter_context(open_directory(directory, who))
        step = plan(opened)
        if not json:
            out.print(f"[bold]{safe(step.title)}[/]")
            show_step(step, exact=exact or dry_run)
        actor = Actor(opened.domain.name, opened.editor.server, opened.identity)
        report = confirm_and_carry_out(step, World(opened.editor), store, actor, yes=yes, dry_run=dry_run, json=json)
        if json:
            print_json(step_json(step, report))
    raise typer.Exit(ExitCode.CHANGES if dry_run and step.changes else ExitCode.OK)
