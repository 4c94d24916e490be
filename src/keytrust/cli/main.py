"""The ``keytrust`` program: its commands, and how it ends."""

from __future__ import annotations

import sys
import traceback
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from keytrust import __version__, interrupts
from keytrust.cli import (
    apply,
    audit,
    cloud,
    decode,
    demo,
    doctor,
    explain,
    forest,
    history,
    init,
    lab,
    plan,
    registry,
    run,
    setup,
    show,
    signin,
    status,
    sync,
    undo,
)
from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Config, Verbose, given
from keytrust.cli.output import err, out, safe_lines, show_error
from keytrust.errors import KeytrustError
from keytrust.memory import relax_garbage_collection

app = typer.Typer(
    name="keytrust",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Carry Windows Hello for Business keys from where they are registered to Active Directory.

    A user's device registers a public key; keytrust writes it to msDS-KeyCredentialLink on the user's account, and the
    domain controller then signs the user in with that key alone.

    [bold]See it work:[/]  keytrust demo
    [bold]Set it up:[/]    keytrust init, keytrust doctor
    [bold]Day to day:[/]   keytrust plan, keytrust sync, keytrust show USER, keytrust undo RUN

    Exit codes: 0 done; 1 error; 2 (plan) there are changes; 3 done in part; 4 (doctor) warnings; 64 wrong usage;
    70 internal fault.""",
)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"keytrust {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    config: Config = None,
    verbose: Verbose = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass


app.command("init")(init.init)
app.command("plan")(plan.plan)
app.command("apply")(apply.apply)
app.command("sync")(sync.sync)
app.command("run")(run.run)
app.command("pause")(run.pause)
app.command("resume")(run.resume)
app.command("retry")(run.retry)
app.command("undo")(undo.undo)
app.command("history")(history.history)
app.command("show")(show.show)
app.command("status")(status.status)
app.command("explain")(explain.explain)
app.command("decode")(decode.decode)
app.command("forest")(forest.forest)
app.command("signin")(signin.signin)
app.command("audit")(audit.audit)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.add_typer(cloud.app, name="cloud")
app.add_typer(lab.app, name="lab")
app.add_typer(registry.app, name="registry")
app.add_typer(setup.app, name="setup")

# Wrong usage exits with 2 in Click, which here means that a plan has changes.
_usage_error = typer.BadParameter.__mro__[1]
_usage_error.exit_code = int(ExitCode.USAGE)  # type: ignore[attr-defined]


def main() -> None:
    """Run the program; every way out of it is a documented exit code and, on a fault, a sentence."""
    interrupts.install()
    relax_garbage_collection()
    if isinstance(sys.stdout, TextIOWrapper):  # as standard error does: a name that does not fit is spelt out
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeytrustError as error:
        show_error(error, verbose=given.verbose)
        sys.exit(ExitCode.ERROR)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:  # Typer makes this of a KeyboardInterrupt, and says nothing
            _interrupted()
        raise
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.ERROR)
    except (
        Exception
    ) as error:  # the last resort: whatever slipped through is our fault and must not look like the user's
        err.print(f"[bold red]Internal fault:[/] {type(error).__name__}. Please report it with the output of -v.")
        if given.verbose:
            err.print(safe_lines("".join(traceback.format_exception(error))), soft_wrap=True)
        sys.exit(ExitCode.INTERNAL)


def _interrupted() -> NoReturn:
    err.print("[bold]Interrupted.[/] What was journaled says how far it got: keytrust history")
    sys.exit(ExitCode.INTERRUPTED)
