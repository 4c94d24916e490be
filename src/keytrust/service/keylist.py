"""A user's registered keys as bytes, for the store. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from keytrust.cloud.source import RegisteredKey

_HEAD = struct.Struct("<BHII")
"""What is present, and the lengths of key type, material and custom key information."""
_DEVICE, _CREATED, _CUSTOM = 1, 2, 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def pack(keys: Iterable[RegisteredKey]) -> bytes:
    """All keys, in their order."""
    parts: list[bytes] = []
    for key in keys:
        kind = key.key_type.encode("utf-8", "surrogatepass")
        custom = key.custom_key_information
        present = (
            (_DEVICE if key.device_id is not None else 0)
            | (_CREATED if key.created is not None else 0)
            | (_CUSTOM if custom is not None else 0)
        )
        parts.append(_HEAD.pack(present, len(kind), len(key.material), len(custom or b"")))
        parts += [kind, key.material, custom or b""]
        if key.device_id is not None:
            parts.append(key.device_id.bytes)
        if key.created is not None:
            parts.append(struct.pack("<q", (key.created - _EPOCH) // _MICROSECOND))
    return b"".join(parts)


def unpack(data: bytes) -> tuple[RegisteredKey, ...]:
    """The keys that ``pack`` was given.

    Raises:
        ValueError: ``pack`` did not make these bytes.
    """
    keys: list[RegisteredKey] = []
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        if at + size > len(data):
            raise ValueError("a stored key list is cut short")
        at += size
        return data[at - size : at]

    while at < len(data):
        present, kind, material, custom = _HEAD.unpack(take(_HEAD.size))
        key_type, blob, information = take(kind).decode("utf-8", "surrogatepass"), take(material), take(custom)
        keys.append(
            RegisteredKey(
                material=blob,
                device_id=UUID(bytes=take(16)) if present & _DEVICE else None,
                key_type=key_type,
                created=_EPOCH + struct.unpack("<q", take(8))[0] * _MICROSECOND if present & _CREATED else None,
                custom_key_information=information if present & _CUSTOM else None,
            )
        )
    return tuple(keys)
