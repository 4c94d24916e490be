"""Making key credentials, in the two dialects that domain controllers want. There is no clock in here."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import NamedTuple
from uuid import UUID

from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.identifiers import KeySource, KeyUsage
from keytrust.credential.key_credential import KeyCredential
from keytrust.credential.layout import VERSION_2, Layout, entry_header, layout_in_order
from keytrust.credential.times import KeyTime, TimeForm, encode_binary, encode_filetime, ticks_of

ENTRA_CUSTOM_KEY_INFORMATION = bytes.fromhex("010000000002000000000000000000")
"""The 15 bytes that the cloud gives a Windows Hello key and Entra Connect copies."""

_GUID = Struct(">IHH8s")  # the fields of a GUID as UUID has them; a key credential has them little-endian
_PREFIX = Struct("<4s 3s32s 3s32s")  # version, KeyID, KeyHash
_VERSION = VERSION_2.to_bytes(4, "little")
_KEY_ID, _KEY_HASH, _USAGE, _SOURCE, _DEVICE, _LOGON, _CREATED = (
    entry_header(identifier, length)
    for identifier, length in ((1, 32), (2, 32), (4, 1), (5, 1), (6, 16), (8, 8), (9, 8))
)


class Dialect(StrEnum):
    """Which readers a value is made for."""

    ENTRA = "entra"
    """Byte-identical to what Entra Connect writes."""
    PORTABLE = "portable"
    """The same with CustomKeyInformation cut to its 2-byte form, which Samba can decode too."""


# Names of their own, because looking up an enum member costs as much as packing it.
_AD, _PORTABLE = int(KeySource.AD), str(Dialect.PORTABLE)
_FILETIME, _BINARY = TimeForm.FILETIME, TimeForm.BINARY


class _Shape(NamedTuple):
    """What all key credentials with the same lengths have in common.

    Attributes:
        pack: Packs the entries after KeyHash, each header before its value.
        material_header: The header of KeyMaterial.
        information_header: The header of CustomKeyInformation.
        layout: Where the entries then lie.
    """

    pack: Callable[..., bytes]
    material_header: bytes
    information_header: bytes
    layout: Layout


@lru_cache(maxsize=256)
def _shape(material: int, information: int, with_device: bool) -> _Shape:
    if not 0 < material <= 0xFFFF or not 2 <= information <= 0xFFFF:
        raise KeyCredentialError(
            f"{material} bytes of key material with {information} bytes of custom key information cannot be stored"
        )
    pack = Struct(f"<3s{material}s 3sB 3sB {'3sIHH8s' if with_device else ''} 3s{information}s 3sQ 3sQ").pack
    lengths = {1: 32, 2: 32, 3: material, 4: 1, 5: 1, 6: 16, 7: information, 8: 8, 9: 8}
    if not with_device:
        del lengths[6]
    return _Shape(pack, entry_header(3, material), entry_header(7, information), layout_in_order(lengths))


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
    if dialect == _PORTABLE:
        information = information[:2]
    form = _FILETIME if source == _AD else _BINARY
    pack, material_header, information_header, layout = _shape(len(material), len(information), device_id is not None)
    device = () if device_id is None else (_DEVICE, *_GUID.unpack(device_id.int.to_bytes(16, "big")))
    tail = (
        information_header,
        information,
        _LOGON,
        0 if last_logon is None else _encoded(last_logon, form),
        _CREATED,
        _encoded(created, form),
    )
    try:
        hashed = pack(material_header, material, _USAGE, usage, _SOURCE, source, *device, *tail)
    except struct.error as error:
        raise KeyCredentialError(f"usage {usage} and source {source} must each fit in a byte") from error
    prefix = _PREFIX.pack(_VERSION, _KEY_ID, sha256(material).digest(), _KEY_HASH, sha256(hashed).digest())
    return KeyCredential._with_layout(prefix + hashed, layout)


def _encoded(moment: datetime | KeyTime, form: TimeForm) -> int:
    if isinstance(moment, KeyTime):
        return moment.converted(form).raw
    return encode_filetime(ticks_of(moment)) if form is _FILETIME else encode_binary(ticks_of(moment))
