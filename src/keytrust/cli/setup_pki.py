"""``keytrust setup pki``: a private authority for domains without AD CS."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated
from uuid import UUID

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Config, Json, Verbose, Yes, settings
from keytrust.cli.output import err, out, print_json, safe, table
from keytrust.cli.setup_step import DryRun, Exact, confirm_and_carry_out, show_step, step_json
from keytrust.deploy.errors import SetupError
from keytrust.deploy.pki.authority import Passphrase, plan_authority, plan_crl
from keytrust.deploy.pki.controller import Request, plan_controller
from keytrust.deploy.pki.folder import need_authority, read
from keytrust.deploy.runner import Actor, local_operator
from keytrust.deploy.step import Step, World
from keytrust.pki.revocation import Reason
from keytrust.store.database import opened_store

app = typer.Typer(
    no_args_is_help=True,
    help="A private certification authority for domain controllers, for domains without AD CS; an existing PKI is"
    " checked by keytrust doctor.",
)

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", help="The authority's folder, best on offline storage.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="The passphrase of the authority's key (default: asked for).",
        show_default=False,
    ),
]
CrlDays = Annotated[
    int, typer.Option("--crl-days", metavar="DAYS", min=1, max=3650, help="How long a list of the revoked is good.")
]
_AUTHORITY = Path("/etc/keytrust/pki")
_CRL_DAYS = 180


@app.command("ca")
def ca(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The authority's name.")] = "keytrust KDC CA",
    folder: Folder = _AUTHORITY,
    years: Annotated[int, typer.Option("--years", metavar="YEARS", min=1, max=30, help="How long it lives.")] = 10,
    crl_url: Annotated[
        str | None,
        typer.Option(
            "--crl-url",
            metavar="URL",
            help="Where clients will find the list of revoked certificates, by http.",
            show_default=False,
        ),
    ] = None,
    crl_days: CrlDays = _CRL_DAYS,
    passphrase_file: PassphraseFile = None,
    exact: Exact = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Make the authority: its key under a passphrase, its certificate, an empty list of the revoked."""
    journal = settings().store.url
    secret = _passphrase(passphrase_file, new=True)
    life, list_life = timedelta(days=365 * years), timedelta(days=crl_days)
    step = plan_authority(folder.absolute(), name, life, list_life, crl_url, secret)
    _run(step, journal, exact=exact, dry_run=dry_run, yes=yes, json=json)


@app.command("kdc")
def kdc(
    host: Annotated[str, typer.Argument(metavar="HOST", help="The domain controller's full DNS name.")],
    realm: Annotated[
        str | None,
        typer.Option(
            "--realm", metavar="REALM", help="Kerberos realm (default: that of the host's domain).", show_default=False
        ),
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option("--alias", metavar="NAME", help="A further DNS name.", show_default=False)
    ] = None,
    dc_guid: Annotated[
        UUID | None,
        typer.Option(
            "--dc-guid", metavar="GUID", help="objectGUID of its computer account, if wanted.", show_default=False
        ),
    ] = None,
    folder: Folder = _AUTHORITY,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to write (default: DIR/HOST).", show_default=False),
    ] = None,
    installed_at: Annotated[
        str, typer.Option("--installed-at", metavar="DIR", help="Where the files will lie on the domain controller.")
    ] = "/etc/keytrust/kdc",
    days: Annotated[int, typer.Option("--days", metavar="DAYS", min=1, max=3650, help="How long it is valid.")] = 397,
    renew: Annotated[bool, typer.Option("--renew", help="Issue a new one though the last is good.")] = False,
    passphrase_file: PassphraseFile = None,
    exact: Exact = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Issue a domain controller's certificate, or renew it in the last third of its life.

    Writes key, certificate and the lines for smb.conf and krb5.conf into a folder; no system file is touched.
    """
    journal = settings().store.url
    host = host.lower().rstrip(".")
    request = Request(
        host,
        realm or host.partition(".")[2].upper(),
        tuple(alias or ()),
        dc_guid,
        timedelta(days=days),
        (output or folder / host.replace("/", "_")).absolute(),
        PurePosixPath(installed_at),
    )
    step = plan_controller(need_authority(folder.absolute()), request, _passphrase(passphrase_file), renew=renew)
    _run(step, journal, exact=exact, dry_run=dry_run, yes=yes, json=json)


@app.command("crl")
def crl(
    revoke: Annotated[
        list[str] | None,
        typer.Option(
            "--revoke", metavar="SERIAL|FILE", help="A certificate to revoke; may be repeated.", show_default=False
        ),
    ] = None,
    reason: Annotated[Reason, typer.Option("--reason", help="Why.")] = Reason.UNSPECIFIED,
    folder: Folder = _AUTHORITY,
    crl_days: CrlDays = _CRL_DAYS,
    renew: Annotated[bool, typer.Option("--renew", help="Publish a new list though the last is good.")] = False,
    passphrase_file: PassphraseFile = None,
    exact: Exact = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Revoke certificates, and publish the list of the revoked when that is due."""
    journal = settings().store.url
    step = plan_crl(
        need_authority(folder.absolute()),
        revoke or (),
        reason,
        timedelta(days=crl_days),
        _passphrase(passphrase_file),
        renew=renew,
    )
    _run(step, journal, exact=exact, dry_run=dry_run, yes=yes, json=json)


@app.command("list")
def list_issued(folder: Folder = _AUTHORITY, json: Json = False, verbose: Verbose = False) -> None:
    """List the certificates that the authority has issued."""
    register = need_authority(folder.absolute()).register
    if json:
        print_json(register.model_dump(mode="json"))
        return
    listed = table("Serial", "Host", "Until", "Revoked")
    for each in register.certificates:
        revoked = f"{each.revoked:%Y-%m-%d} {each.reason}" if each.revoked else ""
        listed.add_row(each.serial, safe(each.host), f"{each.until:%Y-%m-%d}", revoked)
    out.print(listed)


def _run(step: Step, journal: str, *, exact: bool, dry_run: bool, yes: bool, json: bool) -> None:
    with opened_store(journal) as store:
        if not json:
            out.print(f"[bold]{safe(step.title)}[/]")
            show_step(step, exact=exact)
        actor = Actor(socket.gethostname(), "this machine", local_operator())
        report = confirm_and_carry_out(step, World(), store, actor, yes=yes, dry_run=dry_run, json=json)
        if json:
            print_json(step_json(step, report))
    raise typer.Exit(ExitCode.CHANGES if dry_run and step.changes else ExitCode.OK)


def _passphrase(file: Path | None, *, new: bool = False) -> Passphrase:
    """From the file, else from the terminal; a new one twice."""
    return (lambda: _from_file(file)) if file is not None else _prompted(new=new)


def _from_file(path: Path) -> bytes:
    content = read(path)
    if content is None:
        raise SetupError(f"There is no {path}.", not_done="Nothing was changed.")
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) and mode & 0o077:
        raise SetupError(
            f"Others than its owner may read {path} (mode {stat.S_IMODE(mode):04o}).",
            not_done="Nothing was changed.",
            remedy="Make it private (chmod 600), and take another passphrase if somebody may have read it.",
        )
    return content.removesuffix(b"\n").removesuffix(b"\r")


def _prompted(*, new: bool) -> Callable[[], bytes]:
    def asked() -> bytes:
        if not err.is_terminal:
            raise SetupError(
                "There is no terminal to ask on for the passphrase.",
                not_done="Nothing was changed.",
                remedy="Give --passphrase-file.",
            )
        typed = err.input("Passphrase of the authority's key: ", password=True)
        if new and err.input("The same again: ", password=True) != typed:
            raise SetupError("The two passphrases differ.", not_done="Nothing was changed.", remedy="Type it again.")
        return typed.encode()

    return asked
