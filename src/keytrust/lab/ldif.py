"""LDIF (RFC 2849) for Samba's ldb tools, every value in base64, so that no value can be taken for a directive."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

Value = str | bytes
_SPECIAL = frozenset(',+"\\<>;=')


def add(dn: str, attributes: Mapping[str, Value | Sequence[Value]]) -> str:
    """A record that adds an entry."""
    return _record(dn, "add", [line for name, value in attributes.items() for line in _lines(name, value)])


def delete(dn: str) -> str:
    """A record that deletes an entry."""
    return _record(dn, "delete", [])


def replace(dn: str, attributes: Mapping[str, Value | Sequence[Value]]) -> str:
    """A record that replaces whole attributes of an entry."""
    lines = []
    for name, value in attributes.items():
        lines += [f"replace: {name}", *_lines(name, value), "-"]
    return _record(dn, "modify", lines)


def escape(value: str) -> str:
    """An attribute value for use in a distinguished name (RFC 4514 section 2.4)."""
    escaped = "".join(_escape_letter(letter) for letter in value)
    if escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    if escaped.startswith((" ", "#")):
        escaped = "\\" + escaped
    return escaped


def _escape_letter(letter: str) -> str:
    if letter < " ":
        return f"\\{ord(letter):02X}"
    return f"\\{letter}" if letter in _SPECIAL else letter


def clear_text_password(password: str) -> bytes:
    """The form in which Samba's local database takes a password as ``clearTextPassword``: UTF-16, little-endian."""
    return password.encode("utf-16-le")


def _record(dn: str, change: str, lines: Sequence[str]) -> str:
    return "\n".join([f"dn:: {_base64(dn)}", f"changetype: {change}", *lines, "", ""])


def _lines(name: str, value: Value | Sequence[Value]) -> list[str]:
    values = [value] if isinstance(value, str | bytes) else value
    return [f"{name}:: {_base64(each)}" for each in values]


def _base64(value: Value) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")
