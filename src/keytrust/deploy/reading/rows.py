"""Search results with attribute names in one case, since servers choose their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import ldap

from keytrust.directory.session import Session

Attributes = Mapping[str, Sequence[bytes]]
"""Names in lower case."""

_NEVER = (0, 2**63 - 1)
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def rows(
    session: Session, base: str, scope: int, filter_text: str, attributes: Sequence[str]
) -> Iterator[tuple[str, Attributes]]:
    """Search.

    Raises:
        DirectoryError: the search failed or was cut short.
    """
    for dn, entry in session.search(base, scope, filter_text, attributes, paged=scope != ldap.SCOPE_BASE):
        yield dn, {name.lower(): values for name, values in entry.items()}


def first(entry: Attributes, name: str) -> bytes:
    """The first value; empty when there is none."""
    values = entry.get(name)
    return values[0] if values else b""


def text(entry: Attributes, name: str) -> str:
    """The first value as text; empty when there is none."""
    return first(entry, name).decode("utf-8", "replace")


def integer(entry: Attributes, name: str) -> int | None:
    """The first value as a number; None when it is none."""
    value = first(entry, name)
    return int(value) if value.removeprefix(b"-").isdigit() else None


def filetime(entry: Attributes, name: str) -> datetime | None:
    """The first value as a time ([MS-DTYP] 2.3.3); None when it is missing or means never."""
    ticks = integer(entry, name)
    if ticks is None or ticks in _NEVER or ticks < 0:
        return None
    try:
        return _EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None
