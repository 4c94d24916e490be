"""``keytrust setup permissions``"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Config, DomainLabel, Json, Verbose, Yes, settings
from keytrust.cli.output import bar, out, print_json, safe, say
from keytrust.cli.permissions_view import reach_json, show_reach, show_trial, trial_json
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
from keytrust.config import Settings
from keytrust.deploy.errors import SetupError
from keytrust.deploy.identity import SetupDirectory, open_directory
from keytrust.deploy.permissions.plan import OWN_GROUP, Way, plan_permissions
from keytrust.deploy.permissions.protected_accounts import carrying_group
from keytrust.deploy.permissions.prove import prove
from keytrust.deploy.permissions.reach import Cause, Reach, reach
from keytrust.deploy.permissions.situation import Situation, read_situation
from keytrust.deploy.permissions.trial import Trial, try_rights
from keytrust.deploy.runner import Actor
from keytrust.deploy.step import World
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.store.database import open_store, opened_store
from keytrust.sync.runs import Runs

_PATIENCE = 60.0
"""Seconds for a domain controller to bring a new entry down to all accounts."""
_SHOWN = 20

Connector = Annotated[
    str | None,
    typer.Option(
        "--connector",
        metavar="ACCOUNT",
        help="The account to give the right to: user, managed service account or computer (default: the principal"
        " of the configuration).",
        show_default=False,
    ),
]
GroupName = Annotated[str, typer.Option("--group-name", metavar="NAME", help=f"The group of --way {Way.OWN_GROUP}.")]


def permissions(
    connector: Connector = None,
    way: Annotated[Way, typer.Option("--way", help="How the account gets its right.")] = Way.AUTO,
    group_name: GroupName = OWN_GROUP,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing: only try, as the connector account, what it may do.")
    ] = False,
    prove_on: Annotated[
        str | None,
        typer.Option(
            "--prove",
            metavar="ACCOUNT",
            help="Then add a test key to this account and delete it again, as the connector account.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every account that is not reached.")] = False,
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
    """Give the connector account its one right, by the deployment guide's way for this domain, and try it.

    You sign in as an administrator for this one command: with your own Kerberos tickets, or by --as. Exits with 0 when
    the account may do what it should and nothing else, 3 when that is not so or not everybody is reached.
    """
    configured = settings()
    directory = configured.need_directory(domain)
    name = connector_name(connector, directory)
    answer: dict[str, Any] = {}
    group, reached = "", None
    if not check:
        with ExitStack() as stack:
            store = open_store(configured.store.url)
            stack.callback(store.dispose)
            who = identity(principal, password_file, keytab, ccache)
            opened = stack.enter_context(open_directory(directory, who))
            situation = read_situation(opened, name, group_name)
            step = plan_permissions(situation, way)
            if not json:
                out.print(f"[bold]{safe(step.title)}[/]")
                show_step(step, exact=exact or dry_run)
            actor = Actor(opened.domain.name, opened.editor.server, opened.identity)
            report = confirm_and_carry_out(
                step, World(opened.editor), store, actor, yes=yes, dry_run=dry_run, json=json
            )
            answer["step"] = step_json(step, report)
            if dry_run:
                if json:
                    print_json(answer)
                raise typer.Exit(ExitCode.CHANGES if step.changes else ExitCode.OK)
            situation = read_situation(opened, name, group_name)
            group = carrying_group(situation).sid
            reached = _reached(opened, situation, group, every=every)
            answer["reach"] = reach_json(reached)
            ours = situation.connector.sid
        trial = _trial_of(directory, group, ours)
    else:
        trial = _trial_of(directory, "", "")
    if reached is not None and not json:
        show_reach(reached)
    if trial is None:
        say(f"Not tried: the configuration signs in as somebody else than {name}.")
    else:
        answer["trial"] = trial_json(trial)
        if not json:
            show_trial(trial)
        if prove_on is not None:
            answer["proof"] = _proven(configured, directory, prove_on, json=json)
    if json:
        print_json(answer)
    good = trial is not None and not trial.findings and (reached is None or not reached.causes)
    raise typer.Exit(ExitCode.OK if good else ExitCode.INCOMPLETE)


def connector_name(given: str | None, directory: DirectorySettings) -> str:
    """The connector account that is meant: the one given, else the configuration's.

    Raises:
        SetupError: neither names one.
    """
    name = given or directory.principal
    if name is None:
        raise SetupError(
            "The configuration names no connector account.",
            not_done="Nothing was changed.",
            remedy="Name it with --connector.",
        )
    return name


def _reached(opened: SetupDirectory, situation: Situation, group: str, *, every: bool) -> Reach:
    """How far the grant reaches; a domain controller may need a while to bring it down to all accounts."""
    limit = 1_000_000 if every else _SHOWN
    sids = frozenset({group, situation.connector.sid})
    deadline = time.monotonic() + _PATIENCE
    with bar("accounts looked at") as progress:
        while True:
            found = reach(
                opened.editor, situation.domain_dn, sids, limit=limit, progress=lambda done: progress(done, done)
            )
            if Cause.NOT_YET not in found.causes or time.monotonic() > deadline:
                return found
            time.sleep(2)


def _trial_of(directory: DirectorySettings, group: str, connector_sid: str) -> Trial | None:
    """What the account of the configuration may do; None when that is another account than the one set up."""
    with Domain(directory) as domain, bar("rights tried") as progress:
        trial = try_rights(domain, group=group, progress=lambda done: progress(done, done))
    return None if connector_sid and connector_sid not in trial.token else trial


def _proven(configured: Settings, directory: DirectorySettings, name: str, *, json: bool) -> dict[str, Any]:
    with opened_store(configured.store.url) as store, Domain(directory) as domain:
        account = domain.find(name)
        runs = prove(Runs(domain, None, store, configured.policy), domain, account)
    if not json:
        out.print(
            f"[green]Proven[/] on {safe(account.name)}: a test key was added, read back, deleted and seen to be gone"
            f" (runs {', '.join(runs)})."
        )
    return {"account": account.name, "dn": account.dn, "runs": runs}
