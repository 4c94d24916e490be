"""``keytrust demo``"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import typer

from keytrust import config as configuration
from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Verbose
from keytrust.cli.output import out, safe, say, table
from keytrust.cli.plan_view import show_plan, show_report
from keytrust.cli.wiring import open_runs
from keytrust.lab import Lab, registry_service
from keytrust.lab.demo import Demo
from keytrust.sync.journal import Outcome


def demo(verbose: Verbose = False) -> None:
    """See the whole of it work on a real domain controller on this machine.

    Builds the lab, registers keys the way devices do, plans, applies, signs in as each user with the private key alone,
    and shows that what must not work does not. Leaves the lab up. Exits with 0 only if all of it was so.
    """
    lab = Lab()
    _step("A domain controller and a key registration service on this machine")
    lab.up(say)
    registry_service.start(lab.spec, say)
    show = Demo(lab, configuration.load(lab.spec.config))
    _step("Users in the directory, each with a device that registers a key")
    show.prepare(say)
    show.register(say)
    _synchronise(show, "keytrust plan: what would be done", "keytrust sync: do it, and read every value back")
    _step("Sign in as each user, by PKINIT, with the private key alone")
    show.sign_in()
    _show_enrolments(show)
    _step("A key is revoked")
    victim = show.revoke()
    say(f"the key of {victim.upn} is revoked at the registry")
    show.try_without_right()
    _synchronise(show, "keytrust plan", "keytrust sync")
    show.try_revoked(victim)
    _step("What must not work")
    _show_denials(show)
    _next(lab)
    if not show.succeeded:
        out.print("[bold red]The demo did not come out as it must.[/]")
    raise typer.Exit(ExitCode.OK if show.succeeded else ExitCode.ERROR)


def _synchronise(show: Demo, planning: str, applying: str) -> None:
    with open_runs(show.settings) as (runs, _):
        _step(planning)
        began = time.monotonic()
        plan = runs.plan()
        show_plan(plan)
        _step(applying)
        report = runs.apply_saved(plan)
        show_report(report)
        out.print(f"[dim]Planned and carried out in {(time.monotonic() - began) * 1000:.0f} ms.[/]")
    if not show.denials:
        show.take_in(report)


def _show_enrolments(show: Demo) -> None:
    rows = table("User", "Key", "Registered", "Written", "Confirmed", "Ticket", "To ticket")
    for each in show.enrolments:
        written = each.outcome in (Outcome.CONFIRMED, Outcome.UNCONFIRMED)
        signin = each.signin
        ticket = f"[green]yes[/], {signin.milliseconds:.0f} ms" if signin and signin.ok else "[red]no[/]"
        rows.add_row(
            each.user,
            each.key_id.hex()[:8] + "…",
            f"{_yes(True)}, {each.registration_ms:.0f} ms",
            _yes(written),
            _yes(each.outcome is Outcome.CONFIRMED),
            ticket,
            f"{each.total_ms:.0f} ms" if each.total_ms else "",
        )
    out.print(rows)
    out.print("[dim]To ticket: from the registry's answer to the device until that user had a ticket.[/]")


def _show_denials(show: Demo) -> None:
    rows = table("Sign-in of", "With", "Ticket", "The domain controller's answer")
    for denial in show.denials:
        refusal = denial.result.refusal
        answer = refusal.cause if refusal else "a ticket was issued"
        rows.add_row(
            denial.upn.split("@")[0],
            denial.what,
            "[green]refused[/]" if denial.as_expected else "[red]NOT AS IT MUST BE[/]",
            safe(answer),
        )
    out.print(rows)


def _next(lab: Lab) -> None:
    _step("What to try next")
    if shutil.which("keytrust") is None:
        out.print(f"  export PATH={Path(sys.executable).parent}:$PATH", soft_wrap=True)
    out.print(f"  export KEYTRUST_CONFIG={lab.spec.config}", soft_wrap=True)
    for command, what in (
        ("keytrust show demo-alice", "her keys, and who wrote them"),
        (f"keytrust signin demo-alice@{lab.spec.domain} --key {lab.spec.root}/devices/demo-alice.pem", "sign in again"),
        ("keytrust history", "every run; keytrust undo RUN takes one back"),
        ("keytrust lab down", "remove every trace of the lab"),
    ):
        out.print(f"  [bold]{command}[/]  [dim]{what}[/]", soft_wrap=True)


def _step(title: str) -> None:
    out.print(f"\n[bold cyan]== {safe(title)}[/]")


def _yes(yes: bool) -> str:
    return "[green]yes[/]" if yes else "[red]no[/]"
