"""``keytrust setup scp``"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from keytrust.cli.options import Config, DomainLabel, Json, Verbose, Yes, settings
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
from keytrust.cloud.settings import CloudKind
from keytrust.config import Settings
from keytrust.deploy.errors import SetupError
from keytrust.deploy.identity import SetupDirectory
from keytrust.deploy.scp import Tenant, plan_scp, read_scp
from keytrust.deploy.step import Step


def scp(
    tenant_name: Annotated[
        str | None,
        typer.Option(
            "--tenant-name",
            metavar="DOMAIN",
            help="A verified domain of the tenant (default: the configuration's).",
            show_default=False,
        ),
    ] = None,
    tenant_id: Annotated[
        UUID | None,
        typer.Option(
            "--tenant-id", metavar="GUID", help="The tenant's id (default: the configuration's).", show_default=False
        ),
    ] = None,
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
    """Tell the forest's computers their tenant: make or correct the device registration service connection point.

    Needs an Enterprise Admin. Other keywords stay; --dry-run checks only, and exits with 2 when something is to change.
    """
    configured = settings()
    tenant = _tenant(configured, tenant_name, tenant_id)
    who = identity(principal, password_file, keytab, ccache)
    directory = configured.need_directory(domain)

    def plan(opened: SetupDirectory) -> Step:
        return plan_scp(read_scp(opened.editor, opened.domain.controller.configuration), tenant)

    run_in_directory(plan, configured, directory, who, exact=exact, dry_run=dry_run, yes=yes, json=json)


def _tenant(configured: Settings, name: str | None, id: UUID | None) -> Tenant:
    """The tenant that the options name, else that of the service where keys are registered."""
    cloud, registry = configured.cloud, configured.registry
    if cloud is not None and cloud.kind is CloudKind.GRAPH:
        given = cloud.tenant_id or ""
        try:
            id = id or UUID(given)
        except ValueError:
            name = name or given or None
    elif registry is not None:
        name, id = name or registry.tenant_name, id or registry.tenant_id
    missing = [option for option, value in (("--tenant-name", name), ("--tenant-id", id)) if value is None]
    if name is None or id is None:
        raise SetupError(
            "The configuration does not say which tenant it is.",
            not_done="Nothing was changed.",
            remedy=f"Give {' and '.join(missing)}.",
        )
    return Tenant(name, id)
