"""``keytrust explain``"""

from __future__ import annotations

from typing import Annotated

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.explain_view import explanation_json, show_explanation
from keytrust.cli.options import Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import print_json
from keytrust.cli.wiring import key_source, open_estate
from keytrust.explain.explainer import Explainer
from keytrust.explain.kdc import KdcLook
from keytrust.explain.model import State
from keytrust.explain.service_link import service_links
from keytrust.explain.verdict import judge
from keytrust.store.database import opened_store

_EXITS = {State.OK: ExitCode.OK, State.PROBLEM: ExitCode.CHANGES, State.CANNOT_TELL: ExitCode.INCOMPLETE}


def explain(
    user: Annotated[str, typer.Argument(metavar="USER", help="sAMAccountName, UPN, SID or distinguished name.")],
    domain: DomainLabel = None,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Can this user sign in by key, at which domain controller, and if not, why not? Changes nothing.

    Exits with 0 when at every domain controller, 2 when there is one where not, 3 when that cannot be told.
    """
    given = settings()
    with open_estate(given, cloud=False, only=domain) as estate, opened_store(given.store.url) as store:
        member, account = estate.find(user)
        where = member.domain
        asked_for = (where.settings.principal or "").partition("@")[0] or account.name
        kdc = KdcLook(given.signin.kdc_ca_file or where.settings.ca_file, asked_for, where.name.upper())
        explainer = Explainer(
            where,
            key_source(given.need_cloud()),
            member.runs.journal,
            given.policy,
            kdc,
            lambda guid: service_links(store, where.sid, guid),
        )
        explanation = explainer.explain(account)
    verdict = judge(explanation)
    if json:
        print_json(explanation_json(explanation, verdict))
    else:
        show_explanation(explanation, verdict, evidence=verbose)
    raise typer.Exit(_EXITS[verdict.state])
