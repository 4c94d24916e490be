"""Where and when a linked value was written, as a domain controller's replication metadata tells it. Pure.

``msDS-ReplValueMetaData`` is constructed on Windows domain controllers: one XML document for each linked value, present
or deleted (DS_REPL_VALUE_META_DATA, [MS-ADTS] 3.1.1.4.5.18, [MS-DRSR] 4.1.13.1.9). Samba has no such attribute.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

VALUE_METADATA = "msDS-ReplValueMetaData"
"""The attribute to ask for; it may come in a range."""

_MAX_BYTES = 1 << 20
_MAX_DOCUMENTS = 5000
_KEY_LINK = "msds-keycredentiallink"
_NEVER = "1601-01-01"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes:
        controller: The domain controller on which it was written; empty when that is not told.
        at: When (aware, UTC); None when that is not told.
        exact: Whether this is told of the very value; else it is told of the account, or of its latest value.
    """

    controller: str
    at: datetime | None
    exact: bool


def origin_of(documents: Iterable[bytes], binary: bytes) -> Origin | None:
    """Find the value with this binary part among an object's metadata.

    Documents that cannot be read are passed over. Where no document carries the value's own bytes, the one that was
    written last is taken, as not exact.
    """
    found: list[Origin] = []
    for number, document in enumerate(documents):
        if number >= _MAX_DOCUMENTS:
            break
        fields = _fields(document)
        if fields.get("pszAttributeName", "").lower() != _KEY_LINK:
            continue
        if not fields.get("ftimeDeleted", _NEVER).startswith(_NEVER):
            continue
        exact = _binary(fields.get("pbData", "")) == binary
        origin = Origin(_controller(fields.get("pszLastOriginatingDsaDN", "")), _time(fields), exact)
        if exact:
            return origin
        found.append(origin)
    dated = [origin for origin in found if origin.at is not None]
    return max(dated, key=lambda origin: origin.at or datetime.min.replace(tzinfo=UTC)) if dated else None


def _fields(document: bytes) -> dict[str, str]:
    # No declarations: the documents have none, and entities are how XML is made to grow.
    if len(document) > _MAX_BYTES or b"<!" in document:
        return {}
    try:
        root = ElementTree.fromstring(document.rstrip(b"\0 \r\n").decode("utf-8"))  # noqa: S314 - see above
    except (ElementTree.ParseError, ValueError):
        return {}
    return {child.tag: (child.text or "").strip() for child in root}


def _binary(text: str) -> bytes:
    digits = "".join(text.split())
    for decode in (binascii.unhexlify, binascii.a2b_base64):
        try:
            return decode(digits)
        except ValueError:
            continue
    return b""


def _controller(dn: str) -> str:
    """``DC1`` of ``CN=NTDS Settings,CN=DC1,CN=Servers,…``."""
    parts = dn.split(",")
    return parts[1].partition("=")[2] if len(parts) > 1 and parts[0].upper() == "CN=NTDS SETTINGS" else dn[:200]


def _time(fields: dict[str, str]) -> datetime | None:
    try:
        at = datetime.fromisoformat(fields.get("ftimeLastOriginatingChange", "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return at if at.tzinfo is not None and at.year > 1601 else None
