"""``keytrust doctor``"""

from __future__ import annotations

from typing import Annotated

import typer

from keytrust.cli.doctor_view import Examined, everything_json, exit_code, show_catalogue, show_results
from keytrust.cli.options import Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import doing, print_json
from keytrust.cli.wiring import key_source
from keytrust.cloud.source import KeySource
from keytrust.config import Settings
from keytrust.deploy.checks import CHECKS, Check, chosen, examine
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
    domain: DomainLabel = None,
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
    examined = examine_domains(settings(), checks, Pace(timeout, 3 * timeout), domain)
    if json:
        print_json(everything_json(examined, accepted))
    else:
        for each in examined:
            show_results(each, accepted, every=verbose)
    raise typer.Exit(exit_code(examined, accepted))


def examine_domains(configured: Settings, checks: tuple[Check, ...], pace: Pace, only: str | None) -> list[Examined]:
    """Hold every configured domain, or the one called ``only``, against the checks.

    Raises:
        ConfigError: there is none.
    """
    source = _source(configured)
    examined = []
    for directory in configured.need_directories(only).values():
        with doing("reading the configuration") as report:
            facts = gather(configured, directory, pace, report, source)
        examined.append(Examined(facts, examine(checks, facts)))
    return examined


def _source(configured: Settings) -> KeySource | Unread:
    try:
        return key_source(configured.need_cloud())
    except KeytrustError as error:
        return Unread(error.message)
