"""``keytrust doctor``"""

from __future__ import annotations

from typing import Annotated

import typer

from keytrust.cli.doctor_view import exit_code, results_json, show_catalogue, show_results
from keytrust.cli.options import Config, Json, Verbose, settings
from keytrust.cli.output import doing, out, print_json
from keytrust.cli.wiring import key_source
from keytrust.cloud.source import KeySource
from keytrust.config import Settings
from keytrust.deploy.checks import CHECKS, chosen, examine
from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.reading.gather import gather
from keytrust.deploy.reading.pace import ANSWER_SECONDS, Pace
from keytrust.errors import KeytrustError


def doctor(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="Only this check; may be given several times.", show_default=False),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept",
            metavar="ID",
            help="Known and accepted: shown, but without influence on the exit code. May be given several times.",
            show_default=False,
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show what is checked, and check nothing.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=60, help="How long to wait for one answer.")
    ] = ANSWER_SECONDS,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Check the directory against the deployment guide, and say how to fix what is wrong. Changes nothing.

    Exit codes: 0 all is well or accepted; 4 warnings; 3 something could not be told; 2 something is wrong; 1 nothing
    could be checked at all.
    """
    accepted = frozenset(check.id for check in chosen(accept)) if accept else frozenset()
    checks = chosen(only or ())
    if list_:
        show_catalogue(CHECKS if not only else checks, json=json)
        return
    with doing("reading the configuration") as report:
        configured = settings()
        facts = gather(configured, Pace(timeout, 3 * timeout), report, _source(configured))
    results = examine(checks, facts)
    if json:
        print_json(results_json(results, facts, accepted))
    else:
        show_results(results, facts, accepted, width=out.width, every=verbose)
    raise typer.Exit(exit_code(results, accepted))


def _source(configured: Settings) -> KeySource | Unread:
    try:
        return key_source(configured.need_cloud())
    except KeytrustError as error:
        return Unread(error.message)
