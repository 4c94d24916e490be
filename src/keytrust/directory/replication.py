"""Where and when a linked value was written, as a domain controller's replication metadata tells it. Pure.

``msDS-ReplValueMetaData`` is constructed on Windows domain controllers: one XML document for each linked value, present
or deleted. Its fields are those of DS_REPL_VALUE_META_DATA_2 ([MS-DRSR] 4.1.13.1.25): for this attribute ``pbData`` is
the binary part of the value. Samba 4.24 has the attribute in its schema and answers nothing when asked for it.

The documents are not always XML: names stand in them as they are, so that an ampersand or a control character in a DN
makes an XML parser refuse the whole (published readers of the attribute replace them before they parse). They are
therefore read as the plain text that they are. A DN cannot forge a field: angle brackets in it have a backslash before
them (RFC 4514 section 2.4).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

VALUE_METADATA = "msDS-ReplValueMetaData"
"""The attribute to ask for; it may come in a range."""

_MAX_BYTES = 1 << 20
_MAX_DOCUMENTS = 5000
_KEY_LINK = "msds-keycredentiallink"
_NEVER = "1601-01-01"
_FIELDS = "pszAttributeName", "pbData", "ftimeDeleted", "ftimeLastOriginatingChange", "pszLastOriginatingDsaDN"
_NTDS_SETTINGS = re.compile(r"CN=NTDS Settings(?:\\0ADEL:[^,]*)?,CN=([^,\\]+)", re.IGNORECASE)
"""The DN of a domain controller, which has been demoted since if it says DEL ([MS-ADTS] 3.1.1.5.5)."""


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
        if fields["pszAttributeName"].lower() != _KEY_LINK:
            continue
        if fields["ftimeDeleted"] and not fields["ftimeDeleted"].startswith(_NEVER):
            continue
        exact = binary in _binaries(fields["pbData"])
        at = _time(fields["ftimeLastOriginatingChange"])
        origin = Origin(_controller(fields["pszLastOriginatingDsaDN"]), at, exact)
        if exact:
            return origin
        found.append(origin)
    dated = [origin for origin in found if origin.at is not None]
    return max(dated, key=lambda origin: origin.at or datetime.min.replace(tzinfo=UTC)) if dated else None


def _fields(document: bytes) -> dict[str, str]:
    text = document.decode("utf-8", "replace") if len(document) <= _MAX_BYTES else ""
    return {name: _between(text, f"<{name}>", f"</{name}>") for name in _FIELDS}


def _between(text: str, begin: str, end: str) -> str:
    """What stands between the first of each; empty when it does not."""
    return text.partition(begin)[2].partition(end)[0].strip() if end in text else ""


def _binaries(text: str) -> Iterator[bytes]:
    """What the text may stand for: no document says whether it is in hex or in base64."""
    digits = "".join(text.split())
    for decode in (binascii.unhexlify, binascii.a2b_base64):
        try:
            yield decode(digits)
        except ValueError:
            continue


def _controller(dn: str) -> str:
    """``DC1`` of ``CN=NTDS Settings,CN=DC1,CN=Servers,…``."""
    match = _NTDS_SETTINGS.match(dn)
    return match[1] if match else dn[:200]


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return at if at.tzinfo is not None and at.year > 1601 else None
