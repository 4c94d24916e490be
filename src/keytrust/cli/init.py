"""``keytrust init``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keytrust import config as configuration
from keytrust.cli.doctor import examine_domains
from keytrust.cli.doctor_view import everything_json, exit_code, show_first
from keytrust.cli.init_questions import cloud_answers, directory_answers
from keytrust.cli.options import Json, Verbose
from keytrust.cli.output import ask, out, print_json, safe
from keytrust.cloud.settings import CloudKind
from keytrust.deploy.changes import WriteFile
from keytrust.deploy.checks import CHECKS
from keytrust.deploy.first_config import Answers, text_of
from keytrust.deploy.reading.pace import Pace
from keytrust.deploy.step import World
from keytrust.errors import ConfigError

_MODE = 0o600


def init(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the configuration.")
    ] = Path("keytrust.toml"),
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="NAME", help="The domain's DNS name.", show_default=False)
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option("--server", metavar="HOST", help="A domain controller (default: DNS).", show_default=False),
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option("--principal", metavar="NAME@REALM", help="The connector account.", show_default=False),
    ] = None,
    keytab: Annotated[
        Path | None, typer.Option("--keytab", metavar="FILE", help="Its keytab.", show_default=False)
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", metavar="FILE", help="Or its password, in a file.", show_default=False),
    ] = None,
    krb5_config: Annotated[
        Path | None,
        typer.Option("--krb5-config", metavar="FILE", help="A krb5.conf of its own.", show_default=False),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file",
            metavar="FILE",
            help="The authority of the domain controllers' certificates (PEM).",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        CloudKind | None, typer.Option("--kind", help="Where keys are registered.", show_default=False)
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="ID", help="graph: the tenant.", show_default=False)
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client-id", metavar="ID", help="graph: the application.", show_default=False)
    ] = None,
    client_secret_file: Annotated[
        str | None,
        typer.Option("--client-secret-file", metavar="FILE", help="graph: its secret.", show_default=False),
    ] = None,
    client_certificate_file: Annotated[
        str | None,
        typer.Option(
            "--client-certificate-file", metavar="FILE", help="graph: its certificate and key.", show_default=False
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="registry: where it is.", show_default=False)
    ] = None,
    token_file: Annotated[
        str | None, typer.Option("--token-file", metavar="FILE", help="registry: its token.", show_default=False)
    ] = None,
    path: Annotated[
        str | None, typer.Option("--path", metavar="FILE", help="file: the exported file.", show_default=False)
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", metavar="URL", help="The journal's database.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a configuration that is there.")] = False,
    check: Annotated[bool, typer.Option("--doctor/--no-doctor", help="Then hold the domain against the guide.")] = True,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a first configuration: asks little, finds out the rest, and then says what to put right first.

    Every question is an option too; without a terminal nothing is asked. Changes nothing but that file. The exit code
    is that of keytrust doctor.
    """
    before = _standing(output, force=force)
    place, servers, account, key_file = directory_answers(
        domain, server or (), principal, keytab, password_file, krb5_config
    )
    where, cloud = cloud_answers(
        kind,
        {
            "tenant_id": tenant,
            "client_id": client_id,
            "client_secret_file": client_secret_file,
            "client_certificate_file": client_certificate_file,
            "url": url,
            "token_file": token_file,
            "path": path,
        },
    )
    text = text_of(
        Answers(
            place,
            servers,
            account,
            _whole(key_file),
            _whole(password_file),
            _whole(krb5_config),
            _whole(ca_file),
            where,
            cloud,
            store,
        )
    )
    configured = configuration.parse(text, "The configuration that these answers make")
    WriteFile(output.absolute(), text.encode(), before, _MODE).apply(World())
    if not json:
        out.print(f"Wrote [bold]{safe(str(output))}[/], which only you may read.", soft_wrap=True)
    if not check:
        return
    examined = examine_domains(configured, CHECKS, Pace(), None)
    if json:
        print_json({"configuration": str(output.absolute()), **everything_json(examined, frozenset())})
    else:
        show_first(examined[0], str(output))
    raise typer.Exit(exit_code(examined, frozenset()))


def _standing(output: Path, *, force: bool) -> bytes | None:
    """What is there now, when it may be replaced; None when there is nothing."""
    try:
        before = output.read_bytes()
    except FileNotFoundError:
        if not output.absolute().parent.is_dir():
            raise ConfigError(
                f"There is no folder {output.absolute().parent}.", not_done="Nothing was written."
            ) from None
        return None
    except OSError as error:
        raise ConfigError(f"{output} cannot be read: {error.strerror}.", not_done="Nothing was written.") from error
    if force or ask(f"{output} is there already. Replace it?", unattended=False):
        return before
    raise ConfigError(f"{output} is there already.", not_done="It was left as it is.", remedy="--force replaces it.")


def _whole(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()
