"""Comparing distinguished names, as far as the audit needs it: whether two texts name one object."""

from __future__ import annotations

import re
from functools import lru_cache

_EXTENDED = re.compile(r"(?:<(?:GUID|SID)=[^>]*>;)+", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([0-9a-fA-F]{2})")
_SEPARATOR = re.compile(r"(?<!\\)([,=+])")


def same_object(one: str, other: str) -> bool:
    """Whether two DNs name the same object: case, escapes and spaces around separators aside (RFC 4518, 4514)."""
    return one == other or _normal(one) == _normal(other)


@lru_cache(maxsize=128)  # a DN may have 64 KiB, so a hundred of them are enough
def _normal(dn: str) -> str:
    extended = _EXTENDED.match(dn)
    if extended:
        dn = dn[extended.end() :]
    if "\\" in dn:
        data = bytearray()
        position = 0
        for match in _ESCAPE.finditer(dn):
            data += dn[position : match.start()].encode("utf-8", "surrogatepass") + _escaped(int(match[1], 16))
            position = match.end()
        data += dn[position:].encode("utf-8", "surrogatepass")
        dn = data.decode("utf-8", "replace")
    # Split and stripped: a pattern with spaces before the separator takes quadratic time on a DN of 64 KiB of spaces.
    return "".join(_stripped(part) for part in _SEPARATOR.split(dn)).casefold()


def _stripped(part: str) -> str:
    stripped = part.strip()
    return stripped + " " if stripped.endswith("\\") and part.rstrip() != part else stripped  # that space is escaped


def _escaped(byte: int) -> bytes:
    """A special character stays escaped, in its one-character form; any other byte stands for itself."""
    return b"\\" + bytes((byte,)) if byte in b',+"\\<>;=# ' else bytes((byte,))
