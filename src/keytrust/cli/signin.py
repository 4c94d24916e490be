"""``keytrust signin``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import out, print_json, safe, show_error
from keytrust.errors import ConfigError, SigninError
from keytrust.signin import SigninResult, load_private_key, sign_in


def signin(
    user: Annotated[str, typer.Argument(metavar="USER", help="User principal name, or user@REALM.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The user's private key (PEM).")],
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the key's passphrase.", show_default=False)
    ] = None,
    domain: DomainLabel = None,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Prove that a key signs in: ask the domain controller for a ticket with the private key alone (PKINIT).

    Exits with 0 when a ticket was issued, 1 when not, with the cause.
    """
    given = settings()
    directory = given.need_directory(domain)
    kdc_ca = given.signin.kdc_ca_file or directory.ca_file
    if kdc_ca is None or directory.krb5_config is None:
        raise ConfigError(
            "The configuration does not say how to verify the domain controller at sign-in.",
            not_done="No sign-in was attempted.",
            remedy="Set kdc_ca_file in [signin] and krb5_config in [directory].",
        )
    passphrase = _passphrase(passphrase_file) if passphrase_file else None
    result = sign_in(user, load_private_key(key, passphrase), kdc_ca=kdc_ca, krb5_config=directory.krb5_config)
    if json:
        print_json(_json(result))
    elif result.ok:
        until = f", valid until {result.valid_until:%Y-%m-%d %H:%M} UTC" if result.valid_until else ""
        out.print(f"[green]Signed in[/] as {safe(result.principal or user)} in {result.milliseconds:.0f} ms{until}.")
    else:
        show_error(refusal_error(user, result), verbose=verbose)
    raise typer.Exit(ExitCode.OK if result.ok else ExitCode.ERROR)


def refusal_error(user: str, result: SigninResult) -> SigninError:
    """A refusal in the form in which errors are shown."""
    cause = result.refusal.cause if result.refusal else "The sign-in was refused."
    remedy = result.refusal.remedy if result.refusal else ""
    return SigninError(f"{user} was not signed in. {cause}", remedy=remedy, detail=result.detail)


def _json(result: SigninResult) -> dict[str, object]:
    return {
        "ok": result.ok,
        "milliseconds": round(result.milliseconds, 1),
        "principal": result.principal,
        "validUntil": result.valid_until.isoformat() if result.valid_until else None,
        "refusal": result.refusal.name if result.refusal else None,
        "cause": result.refusal.cause if result.refusal else None,
        "detail": result.detail,
    }


def _passphrase(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The passphrase file {path} cannot be read: {error}.") from error
