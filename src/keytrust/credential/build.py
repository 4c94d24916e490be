"""Making key credentials, in the two dialects that domain controllers want. There is no clock in here."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from uuid import UUID

from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.identifiers import KeySource, KeyUsage
from keytrust.credential.key_credential import KeyCredential
from keytrust.credential.times import KeyTime, TimeForm, encode_binary, encode_filetime, ticks_of

ENTRA_CUSTOM_KEY_INFORMATION = bytes.fromhex("010000000002000000000000000000")
"""The 15 bytes that the cloud gives a Windows Hello key and Entra Connect copies."""

_PREFIX = Struct("<I HB32s HB32s")  # version, KeyID, KeyHash
_MATERIAL_HEADER = Struct("<HB")
_GUID = Struct(">IHH8s")  # the fields of a GUID as UUID holds them, big-endian


@lru_cache(maxsize=64)
def _tail(information_bytes: int, with_device: bool) -> Callable[..., bytes]:
    """What packs the entries after the material: usage, source, device, custom key information, the two times."""
    device = "HBIHH8s" if with_device else ""
    return Struct(f"<HBB HBB {device} HB{information_bytes}s HBQ HBQ").pack


class Dialect(StrEnum):
    """Which readers a value is made for."""

    ENTRA = "entra"
    """Byte-identical to what Entra Connect writes."""
    PORTABLE = "portable"
    """The same with CustomKeyInformation cut to its 2-byte form, which Samba can decode too."""


# Names of their own, because looking up an enum member costs as much as packing it.
_AD, _PORTABLE = int(KeySource.AD), Dialect.PORTABLE
_FILETIME, _BINARY = TimeForm.FILETIME, TimeForm.BINARY


def build(
    material: bytes,
    *,
    device_id: UUID | None,
    created: datetime | KeyTime,
    dialect: Dialect,
    usage: int = KeyUsage.NGC,
    source: int = KeySource.AZURE_AD,
    custom_key_information: bytes | None = None,
    last_logon: datetime | KeyTime | None = None,
) -> KeyCredential:
    """Make a key credential with correct hashes and its entries in the order of their identifiers.

    Args:
        material: Key material, stored as it is (its KeyID must stay the one the cloud knows). ``to_rsa1`` makes the
            form that every domain controller reads; whether the key is a good one is for ``weaknesses`` to say.
        device_id: The device that made the key; without one the entry is left out.
        created: When the key was registered. Encoded as FILETIME for source AD and as ``ToBinary`` for any other; a
            ``KeyTime`` that has that form already is stored bit for bit.
        dialect: Whom the value is made for.
        usage: A ``KeyUsage``.
        source: A ``KeySource``.
        custom_key_information: The cloud's own bytes; by default those that it gives every Windows Hello key.
        last_logon: When the key was last used; by default never (8 zero bytes).

    Raises:
        KeyCredentialError: an argument cannot be encoded.
    """
    information = ENTRA_CUSTOM_KEY_INFORMATION if custom_key_information is None else custom_key_information
    if dialect is _PORTABLE:
        information = information[:2]
    if not material or len(information) < 2:
        raise KeyCredentialError("a key credential needs key material and at least 2 bytes of custom key information")
    form = _FILETIME if source == _AD else _BINARY
    logon = 0 if last_logon is None else _encoded(last_logon, form)
    device = () if device_id is None else (16, 6, *_GUID.unpack(device_id.bytes))
    size = len(information)
    try:
        tail = _tail(size, device_id is not None)(
            *(1, 4, usage, 1, 5, source, *device),
            *(size, 7, information, 8, 8, logon, 8, 9, _encoded(created, form)),
        )
        hashed = _MATERIAL_HEADER.pack(len(material), 3) + material + tail
    except struct.error as error:
        message = "a key credential cannot hold the given material, usage, source or custom key information"
        raise KeyCredentialError(message, detail=str(error)) from error
    prefix = _PREFIX.pack(0x200, 32, 1, sha256(material).digest(), 32, 2, sha256(hashed).digest())
    return KeyCredential(prefix + hashed)


def _encoded(moment: datetime | KeyTime, form: TimeForm) -> int:
    if isinstance(moment, KeyTime):
        return moment.converted(form).raw
    return encode_filetime(ticks_of(moment)) if form is _FILETIME else encode_binary(ticks_of(moment))
