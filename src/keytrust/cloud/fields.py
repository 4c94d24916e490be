"""Decoding single values of untrusted cloud JSON: returns the value, or raises ``ValueError`` with what is wrong."""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from uuid import UUID

MAX_BINARY = 64 * 1024
"""Longest accepted binary value, bytes. An RSA1 blob is 283, a FIDO entry a few thousand."""

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SID = re.compile(r"S-1-(?:0x[0-9a-fA-F]{1,12}|[0-9]{1,15})(?:-[0-9]{1,10}){1,15}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def text(value: object, limit: int) -> str:
    """A non-empty string of at most ``limit`` characters that is safe to store and to show on a terminal."""
    if not isinstance(value, str):
        raise ValueError(f"is {kind(value)}, not a string")  # noqa: TRY004 - damage, not a programming error
    if not value:
        raise ValueError("is empty")
    if len(value) > limit:
        raise ValueError(f"is {len(value)} characters long, more than {limit}")
    if _UNSHOWABLE.search(value):
        raise ValueError("has control characters")
    return value


def binary(value: object) -> bytes:
    """Edm.Binary as Graph and the exports write it: padded standard base64, not empty."""
    if not isinstance(value, str):
        raise ValueError(f"is {kind(value)}, not a base64 string")  # noqa: TRY004 - as above
    if len(value) > MAX_BINARY * 4 // 3 + 4:
        raise ValueError(f"is longer than {MAX_BINARY} bytes")
    try:
        data = binascii.a2b_base64(value, strict_mode=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if not data:
        raise ValueError("is empty")
    return data


def guid(value: object) -> UUID:
    """A GUID in its 36 character form."""
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise ValueError("is not a GUID")
    return UUID(int=int(value.replace("-", ""), 16))


def sid(value: object) -> str:
    """A security identifier in text form ([MS-DTYP] 2.4.2.1)."""
    if not isinstance(value, str) or not _SID.fullmatch(value):
        raise ValueError("is not a security identifier")
    return value


def time(value: object) -> datetime:
    """An Edm.DateTimeOffset. Without an offset it is UTC; digits beyond the microsecond are cut off, not rounded."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a time")
    date, clock, fraction, offset = match.groups()
    moment = datetime.fromisoformat(f"{date}T{clock}.{(fraction or '0')[:6]:0<6}{offset or 'Z'}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def kind(value: object) -> str:
    """What a JSON value is, for a message."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
