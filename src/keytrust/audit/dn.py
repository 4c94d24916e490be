"""Comparing distinguished names, as far as the audit needs it: whether two texts name one object."""

from __future__ import annotations

import re
from functools import lru_cache

_EXTENDED = re.compile(r"(?:<(?:GUID|SID)=[^>]*>;)+", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([0-9a-fA-F]{2})")
_SPACE = re.compile(r"\s*(?<!\\)([,=+])\s*")


def same_object(one: str, other: str) -> bool:
    """Whether two DNs name the same object: case, escapes and spaces around separators aside (RFC 4518, 4514)."""
    return one == other or _normal(one) == _normal(other)


@lru_cache(maxsize=1024)
def _normal(dn: str) -> str:
    dn = _EXTENDED.sub("", dn, count=1)
    if "\\" in dn:
        data = bytearray()
        position = 0
        for match in _ESCAPE.finditer(dn):
            data += dn[position : match.start()].encode("utf-8", "surrogatepass") + _escaped(int(match[1], 16))
            position = match.end()
        data += dn[position:].encode("utf-8", "surrogatepass")
        dn = data.decode("utf-8", "replace")
    return _SPACE.sub(r"\1", dn).strip().casefold()


def _escaped(byte: int) -> bytes:
    """A special character stays escaped, in its one-character form; any other byte stands for itself."""
    return b"\\" + bytes((byte,)) if byte in b',+"\\<>;=# ' else bytes((byte,))
