"""Values of attributes as text: in LDIF (RFC 2849) for people, in base64 for the journal. Pure."""

from __future__ import annotations

import base64
import binascii

from keytrust.deploy.errors import SetupError


def ldif(name: str, value: bytes) -> str:
    """``name: value``, or ``name:: base64`` where the value is not plain."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable() and text == text.strip() and text[0] not in ":<":
        return f"{name}: {text}"
    return f"{name}:: {encoded(value)}"


def encoded(value: bytes) -> str:
    """In base64."""
    return base64.b64encode(value).decode("ascii")


def decoded(text: str) -> bytes:
    """From base64.

    Raises:
        SetupError: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise SetupError("A change in the journal is damaged.", not_done="Nothing was changed.") from error
