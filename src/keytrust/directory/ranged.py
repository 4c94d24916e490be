"""Attributes of so many values that a domain controller gives them in parts: ``member;range=0-1499``.

[MS-ADTS] 3.1.1.3.1.3.3. Pure but for the one function that it is given to ask for the next part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from keytrust.directory.account import Entry
from keytrust.errors import DirectoryError

Next = Callable[[str], Entry | None]
"""Given an attribute with its range option: that part of the object, or None when the object is gone."""

_RANGED = re.compile(r"([^;]+);range=(\d+)-(\d+|\*)", re.IGNORECASE)
_MAX_VALUES = 10_000_000
"""More values than any object can hold: a server that never ends a range is lying."""


def is_whole(entry: Entry) -> bool:
    """Whether no attribute of the entry was given in part."""
    return not any(";" in name and _RANGED.fullmatch(name) for name in entry)


def whole(server: str, dn: str, entry: Entry, following: Next) -> Entry:
    """The entry with every attribute that was given in part read to its end, under its plain name.

    Raises:
        DirectoryError: the server broke off, or does not come to an end.
    """
    complete: dict[str, Sequence[bytes]] = {}
    for name, values in entry.items():
        match = _RANGED.fullmatch(name) if ";" in name else None
        if match is None:
            complete.setdefault(name, values)
        else:
            complete[match[1]] = _to_the_end(server, dn, match[1], match[3], values, following)
    return complete


def _to_the_end(
    server: str, dn: str, attribute: str, last: str, part: Sequence[bytes], following: Next
) -> tuple[bytes, ...]:
    values: dict[bytes, None] = dict.fromkeys(part)
    while last != "*":
        entry = following(f"{attribute};range={int(last) + 1}-*")
        found = _part(entry, attribute) if entry is not None else None
        if found is None:
            raise DirectoryError(
                f"{server} broke off in the middle of the values of {dn}.",
                not_done="What was read so far is not used.",
                remedy="Run it again.",
            )
        last, part = found
        before = len(values)
        values.update(dict.fromkeys(part))
        if (last != "*" and len(values) == before) or len(values) > _MAX_VALUES:
            raise DirectoryError(
                f"{server} does not come to the end of the values of {dn} ({len(values)} so far).",
                not_done="What was read so far is not used.",
            )
    return tuple(values)


def _part(entry: Entry, attribute: str) -> tuple[str, Sequence[bytes]] | None:
    for name, values in entry.items():
        match = _RANGED.fullmatch(name)
        if match and match[1].casefold() == attribute.casefold():
            return match[3], values
    return None
