"""``keytrust setup undo``"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Config, DomainLabel, Json, Verbose, Yes, settings
from keytrust.cli.output import out, print_json, safe
from keytrust.cli.setup_step import (
    As,
    CacheFile,
    DryRun,
    Exact,
    KeytabFile,
    PasswordFile,
    confirm_and_carry_out,
    identity,
    show_step,
    step_json,
)
from keytrust.deploy.identity import open_directory
from keytrust.deploy.journal import SetupJournal
from keytrust.deploy.runner import Actor, local_operator
from keytrust.deploy.step import World
from keytrust.deploy.undo import plan_undo
from keytrust.store.database import open_store


def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or last.")],
    principal: As = None,
    password_file: PasswordFile = None,
    keytab: KeytabFile = None,
    ccache: CacheFile = None,
    exact: Exact = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    domain: DomainLabel = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Take a set-up run back, its last change first.

    What somebody else has changed again since is a conflict: it is reported and left alone, and the rest goes on.
    """
    configured = settings()
    with ExitStack() as stack:
        store = open_store(configured.store.url)
        stack.callback(store.dispose)
        journal = SetupJournal(store)
        record = journal.run(run)
        entries = journal.entries(record.id)
        world, actor = World(), Actor(record.domain, record.server, local_operator())
        if any(entry.change.in_directory for entry in entries):
            who = identity(principal, password_file, keytab, ccache)
            only = domain or (record.domain if len(configured.directories) > 1 else None)
            opened = stack.enter_context(open_directory(configured.need_directory(only), who))
            world, actor = World(opened.editor), Actor(opened.domain.name, opened.editor.server, opened.identity)
        step, conflicts = plan_undo(record, entries, world)
        if not json:
            out.print(f"Run {record.id}: {safe(record.step)}, {record.started[:16].replace('T', ' ')} UTC.")
            show_step(step, exact=exact)
            for sentence in conflicts:
                out.print(f"[yellow]conflict[/] {safe(sentence)}")
        report = confirm_and_carry_out(step, world, store, actor, yes=yes, dry_run=dry_run, json=json)
        if json:
            print_json(step_json(step, report) | {"conflicts": list(conflicts)})
    raise typer.Exit(ExitCode.INCOMPLETE if conflicts else ExitCode.OK)
