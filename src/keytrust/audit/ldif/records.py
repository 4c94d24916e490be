"""LDIF text to records. Pure; damage is contained in the record that has it.

RFC 2849, with what is found in the wild: CRLF line ends, comments, ``search:`` and ``result:`` lines of ldapsearch,
change records that add, attribute options and ranges.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import NamedTuple

from keytrust.audit.subject import ATTRIBUTES, DESCRIPTOR, KEY_LINK, LowerEntry

WANTED = {name.lower().encode() for name in (*ATTRIBUTES, DESCRIPTOR, "member", "displayName")}
WANTED |= {b"msds-deviceid", b"msds-isenabled", b"msds-registeredowner", b"msds-cloudanchor"}
_AS_WRITTEN = {name.encode(): name.lower() for name in (*ATTRIBUTES, DESCRIPTOR)}
_AS_WRITTEN |= {name + b":": lower for name, lower in _AS_WRITTEN.items()}
"""The usual spelling of the wanted names, to know most lines at once: what stands before the first ``: ``."""
_COLON = 0x3A
_NOT_ENTRIES = {b"version", b"search", b"result", b"ref", b"control", b"matcheddn", b"text"}
_RANGE = re.compile(rb"range=(\d+)-(\d+|\*)", re.IGNORECASE)
_MAX_DN = 1 << 16
_MAX_SHOWN_DN = 1024
_KEY_LINK = KEY_LINK.encode()
_SHOWN = 120
_MANY = 1 << 20
MAX_VALUES = 20_000
"""Values of one attribute that are read; an account with more keys is told to be known in part."""


class Record(NamedTuple):
    """An entry.

    Attributes:
        dn: Its distinguished name.
        entry: The wanted attributes by lower-case name.
        partial: Its key credential values are a range that does not reach from the first to the last.
    """

    dn: str
    entry: LowerEntry
    partial: bool


class Damage(NamedTuple):
    """A record, or an attribute of it, that cannot be read.

    Attributes:
        dn: The record's DN when that is legible, else empty.
        what: What is wrong.
    """

    dn: str
    what: str


def records(text: bytes) -> Iterator[Record | Damage]:
    """Every record of ``text``, which begins and ends at records' boundaries."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    for chunk in text.replace(b"\n ", b"").split(b"\n\n"):
        if chunk and not chunk.isspace():
            yield from _record(chunk)


def _record(chunk: bytes) -> Iterator[Record | Damage]:
    dn: str | None = None
    entry: dict[str, list[bytes]] = {}
    partial = False
    damages: list[str] = []
    for line in _lines(chunk):
        if dn is not None:  # nearly all that matters is told at once
            name, _, rest = line.partition(b": ")
            if name in _AS_WRITTEN:
                encoded = name[-1] == _COLON
                value = _decoded(rest, name[:-1], damages) if encoded else rest.strip(b" ")
                _keep(entry, _AS_WRITTEN[name], value)
                continue
        if not line or line[0] == 0x23:  # a comment
            continue
        name, colon, rest = line.partition(b":")
        lower, _, options = name.lower().partition(b";")
        if not colon:
            damages.append(f"a line without a colon: {_shown(line)}")
        elif dn is None:
            if lower in _NOT_ENTRIES:
                return
            if lower != b"dn":
                yield Damage("", f"a line that belongs to no record: {_shown(line)}")
                return
            dn = _dn(rest, damages)
        elif lower == b"changetype" and rest.strip().lower() != b"add":
            yield Damage(dn[:_MAX_SHOWN_DN], f"a change record ({_shown(rest.strip())}) where an entry is expected")
            return
        elif lower in WANTED:
            partial |= bool(options) and lower == _KEY_LINK and _is_part(options)
            _keep(entry, lower.decode("ascii"), _value(rest, name, damages))
    partial |= len(entry.get(KEY_LINK, ())) == MAX_VALUES
    if dn is not None:
        yield Record(dn, entry, partial)
    if damages:
        more = f" (and {len(damages) - 1} more)" if len(damages) > 1 else ""
        yield Damage((dn or "")[:_MAX_SHOWN_DN], damages[0] + more)


def _lines(chunk: bytes) -> Iterable[bytes]:
    if len(chunk) < _MANY:
        return chunk.split(b"\n")
    return (line.rstrip(b"\n") for line in BytesIO(chunk))  # one after the other: it may be millions of short ones


def _keep(entry: dict[str, list[bytes]], name: str, value: bytes | None) -> None:
    if value is None:
        return
    values = entry.get(name)
    if values is None:
        entry[name] = [value]
    elif len(values) < MAX_VALUES or name == "member":
        values.append(value)


def _dn(rest: bytes, damages: list[str]) -> str:
    value = _value(rest, b"dn", damages)
    if value is None or len(value) > _MAX_DN:
        damages.append("a DN that is too long" if value else "a record without a legible DN")
        return (value or b"")[:_MAX_SHOWN_DN].decode("utf-8", "replace")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        damages.append("a DN that is not UTF-8")
        return value.decode("utf-8", "replace")


def _value(rest: bytes, name: bytes, damages: list[str]) -> bytes | None:
    """The value after the colon of a line: plain, or base64 after a second colon. URLs are not followed."""
    if rest[:1] == b":":
        return _decoded(rest[1:], name, damages)
    if rest[:1] == b"<":
        damages.append(f"{_shown(name)} refers to a file, which is not followed")
        return None
    return rest.strip(b" ")


def _decoded(text: bytes, name: bytes, damages: list[str]) -> bytes | None:
    text = text.strip()
    try:
        return binascii.a2b_base64(text, strict_mode=True) if text else b""
    except ValueError:
        damages.append(f"broken base64 in {_shown(name)}")
        return None


def _is_part(options: bytes) -> bool:
    match = _RANGE.search(options)
    return match is not None and (match[1] != b"0" or match[2] != b"*")


def _shown(data: bytes) -> str:
    return repr(data[:_SHOWN])[1:] + ("…" if len(data) > _SHOWN else "")
