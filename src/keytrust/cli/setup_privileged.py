"""``keytrust setup adminsdholder`` and ``keytrust setup overgrant``: deliberate acts, never part of another step."""

from __future__ import annotations

from collections.abc import Callable

from keytrust.cli.options import Config, DomainLabel, Json, Verbose, Yes, settings
from keytrust.cli.setup_permissions import Connector, GroupName, connector_name
from keytrust.cli.setup_step import (
    As,
    CacheFile,
    DryRun,
    Exact,
    KeytabFile,
    PasswordFile,
    identity,
    run_in_directory,
)
from keytrust.deploy.identity import Identity
from keytrust.deploy.permissions.plan import OWN_GROUP, plan_overgrant
from keytrust.deploy.permissions.protected_accounts import plan_adminsdholder
from keytrust.deploy.permissions.situation import Situation, read_situation
from keytrust.deploy.step import Step
from keytrust.directory.editor import Editor


def adminsdholder(
    connector: Connector = None,
    group_name: GroupName = OWN_GROUP,
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
    """Let the connector account write keys of privileged accounts too. Think twice: read what it says.

    Accounts with adminCount=1 are not reached by keytrust setup permissions, and are better left so.
    """
    who = identity(principal, password_file, keytab, ccache)
    _run(plan_adminsdholder, connector, group_name, who, domain, exact=exact, dry_run=dry_run, yes=yes, json=json)


def overgrant(
    connector: Connector = None,
    group_name: GroupName = OWN_GROUP,
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
    """Take full control of the domain from Enterprise Key Admins, which early adprep versions of 2016 gave it."""

    def plan(situation: Situation, _editor: Editor) -> Step:
        return plan_overgrant(situation)

    who = identity(principal, password_file, keytab, ccache)
    _run(plan, connector, group_name, who, domain, exact=exact, dry_run=dry_run, yes=yes, json=json)


def _run(
    plan: Callable[[Situation, Editor], Step],
    connector: str | None,
    group_name: str,
    who: Identity,
    only: str | None,
    *,
    exact: bool,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    configured = settings()
    directory = configured.need_directory(only)
    name = connector_name(connector, directory)
    run_in_directory(
        lambda opened: plan(read_situation(opened, name, group_name), opened.editor),
        configured,
        directory,
        who,
        exact=exact,
        dry_run=dry_run,
        yes=yes,
        json=json,
    )
