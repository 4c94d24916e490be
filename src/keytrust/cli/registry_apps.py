"""``keytrust registry app``"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from cryptography import x509

from keytrust.cli.options import Config, Json, Verbose
from keytrust.cli.output import out, print_json, safe, say, table
from keytrust.cli.registry_database import actor, open_registry
from keytrust.errors import RegistryError
from keytrust.registry import clock

if TYPE_CHECKING:
    from keytrust.registry.applications import Application

app = typer.Typer(no_args_is_help=True, help="Applications that may ask the registry for access tokens.")


@app.command()
def add(
    name: str,
    administrator: Annotated[bool, typer.Option("--administrator", help="It may revoke keys, too.")] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM certificate that it proves itself with, in place of a secret.")
    ] = None,
    secret_file: Annotated[
        Path | None, typer.Option(help="Write the secret to this new file (mode 0600) and do not show it.")
    ] = None,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Let an application read users and keys. Its secret is shown this one time."""
    from keytrust.registry.applications import add_application, remove_application  # noqa: PLC0415 - slow to load
    from keytrust.registry.tokens import ADMINISTRATOR, READER  # noqa: PLC0415

    given = None if certificate is None else _certificate(certificate)
    if secret_file is not None and secret_file.exists():
        raise RegistryError(f"{secret_file} is there already", not_done="Nothing was entered", remedy="name a new file")
    roles = [READER, ADMINISTRATOR] if administrator else [READER]
    with closing(open_registry()) as database:
        made, secret = add_application(database, name, roles=roles, certificate=given, actor=actor())
        if secret is not None and secret_file is not None:
            try:
                _write(secret_file, secret)
            except OSError as error:
                remove_application(database, made.id, actor=actor())
                raise RegistryError(
                    f"the secret cannot be written to {secret_file}: {error.strerror}",
                    not_done="Nothing was entered",
                    remedy="name a file in a directory that this user may write",
                ) from error
            secret = None
    if json:
        print_json({**_shown(made), **({} if secret is None else {"client_secret": secret})})
        return
    out.print(f"client_id     {made.id}", soft_wrap=True)
    if secret is not None:
        out.print(f"client_secret {secret}", soft_wrap=True)
        say("Keep the secret now: only a hash of it is stored, and it cannot be shown again.")


@app.command("list")
def list_(json: Json = False, config: Config = None, verbose: Verbose = False) -> None:
    """Show the applications."""
    from keytrust.registry.applications import list_applications  # noqa: PLC0415 - slow to load

    with closing(open_registry()) as database:
        found = [_shown(each) for each in list_applications(database)]
    if json:
        print_json(found)
        return
    shown = table("client id", "name", "roles", "proves itself by", "entered")
    for each in found:
        shown.add_row(*(safe(str(value)) for value in each.values()))
    out.print(shown)


@app.command()
def remove(client_id: str, config: Config = None, verbose: Verbose = False) -> None:
    """Issue no more tokens to an application. Those that it has live out their hour."""
    from keytrust.registry.applications import remove_application  # noqa: PLC0415 - slow to load

    with closing(open_registry()) as database:
        if not remove_application(database, client_id, actor=actor()):
            raise RegistryError(
                f"there is no application {client_id}",
                not_done="Nothing was removed",
                remedy="keytrust registry app list shows them",
            )
    out.print(f"Removed {safe(client_id)}.")


def _shown(each: Application) -> dict[str, object]:
    return {
        "client_id": each.id,
        "name": each.name,
        "roles": " ".join(each.roles),
        "credential": "secret" if each.certificate is None else "certificate",
        "created": clock.iso(each.created),
    }


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RegistryError(
            f"the certificate {path} cannot be read",
            not_done="Nothing was entered",
            remedy="give a PEM file with a certificate",
            detail=str(error),
        ) from error


def _write(path: Path, secret: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secret + "\n")
