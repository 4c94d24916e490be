"""``keytrust decode``"""

from __future__ import annotations

import base64
import binascii
import sys
from typing import Annotated, Any

import typer

from keytrust.cli.credential_view import credential_json, show_credential
from keytrust.cli.options import Json, Verbose
from keytrust.cli.output import out, print_json, show_error
from keytrust.cloud.file import decode_text
from keytrust.credential import KeyCredential, KeyCredentialError, KeyCredentialLink

MAX_INPUT = 64 * 1024 * 1024
_ATTRIBUTE = "msds-keycredentiallink:"


def decode(
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE|-", help="Hexadecimal, base64, or the attribute's text; - reads lines from input."
        ),
    ],
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Explain a key credential: every entry, what the key is, and what is wrong with it.

    Works offline, on one value or on many (one a line, as ldapsearch -o ldif-wrap=no prints them).
    """
    texts = [line for line in _read() if line] if value == "-" else [value.strip()]
    shown: list[dict[str, Any]] = []
    failed = not texts
    if not texts:
        raise KeyCredentialError("There was no value to decode on standard input.")
    for number, text in enumerate(texts, 1):
        try:
            credential, dn = parse(text)
        except KeyCredentialError as error:
            failed = True
            if json:
                shown.append({"error": str(error)})
            else:
                where = f"Line {number}: " if len(texts) > 1 else ""
                show_error(KeyCredentialError(f"{where}{error}"), verbose=verbose)
            continue
        if json:
            shown.append({"dn": dn} | credential_json(credential))
        else:
            if number > 1:
                out.print()
            show_credential(credential, dn)
    if json:
        print_json(shown[0] if len(texts) == 1 else shown)
    raise typer.Exit(int(failed))


def parse(text: str) -> tuple[KeyCredential, str | None]:
    """Read a value in any of its written forms; the DN is None where the form has none.

    Raises:
        KeyCredentialError: it is none of them.
    """
    if text.lower().startswith(_ATTRIBUTE):
        text = text[len(_ATTRIBUTE) :]
        if text.startswith(":"):
            text = _base64(text[1:].strip()).decode("utf-8", "surrogateescape")
        text = text.strip()
    if text[:2].upper() == "B:":
        link = KeyCredentialLink.parse(text)
        return link.credential, link.dn
    compact = "".join(text.split())
    try:
        return KeyCredential.from_bytes(bytes.fromhex(compact.removeprefix("0x"))), None
    except ValueError as error:
        if isinstance(error, KeyCredentialError):
            raise
    return KeyCredential.from_bytes(_base64(compact)), None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyCredentialError(
            "The value is neither hexadecimal, nor base64, nor B:<digits>:<hex>:<DN>.",
            remedy="Give one value of msDS-KeyCredentialLink in one of these forms.",
        ) from error


def _read() -> list[str]:
    content = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(content) > MAX_INPUT:
        raise KeyCredentialError(f"The input is larger than {MAX_INPUT // 2**20} MiB.", remedy="Split it.")
    # A byte order mark, and the UTF-16 of PowerShell's redirections, are how text comes from Windows.
    text = decode_text(content)
    if text is None:
        text = content.decode("utf-8", "surrogateescape")
    return [line.strip() for line in text.splitlines()]
