"""Making key credentials, in the two dialects that domain controllers want. There is no clock in here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from struct import Struct
from uuid import UUID

from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.identifiers import KeySource, KeyUsage
from keytrust.credential.key_credential import KeyCredential
from keytrust.credential.times import KeyTime, TimeForm

ENTRA_CUSTOM_KEY_INFORMATION = bytes.fromhex("010000000002000000000000000000")
"""The 15 bytes that the cloud gives a Windows Hello key and Entra Connect copies."""

_NEVER = bytes(8)
_PREFIX = Struct("<I HB32s HB32s")  # version, KeyID, KeyHash
_MATERIAL_HEADER = Struct("<HB")
_WITH_DEVICE = Struct("<HBB HBB HB16s HB")  # KeyUsage, KeySource, DeviceId, header of CustomKeyInformation
_WITHOUT_DEVICE = Struct("<HBB HBB HB")
_TIMES = Struct("<HB8s HBQ")  # KeyApproximateLastLogonTimeStamp, KeyCreationTime


class Dialect(StrEnum):
    """Which readers a value is made for."""

    ENTRA = "entra"
    """Byte-identical to what Entra Connect writes."""
    PORTABLE = "portable"
    """The same with CustomKeyInformation cut to its 2-byte form, which Samba can decode too."""


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
    if dialect is Dialect.PORTABLE:
        information = information[:2]
    if not 0 < len(material) <= 0xFFFF:
        raise KeyCredentialError(f"key material of {len(material)} bytes cannot be stored in a key credential")
    if not 2 <= len(information) <= 0xFFFF:
        raise KeyCredentialError(f"custom key information of {len(information)} bytes cannot be stored")
    if not (0 <= usage <= 0xFF and 0 <= source <= 0xFF):
        raise KeyCredentialError(f"usage {usage} and source {source} must each fit in a byte")
    form = TimeForm.FILETIME if source == KeySource.AD else TimeForm.BINARY
    logon = _NEVER if last_logon is None else _encoded(last_logon, form).to_bytes(8, "little")
    if device_id is None:
        middle = _WITHOUT_DEVICE.pack(1, 4, usage, 1, 5, source, len(information), 7)
    else:
        middle = _WITH_DEVICE.pack(1, 4, usage, 1, 5, source, 16, 6, device_id.bytes_le, len(information), 7)
    hashed = b"".join(
        (
            _MATERIAL_HEADER.pack(len(material), 3),
            material,
            middle,
            information,
            _TIMES.pack(8, 8, logon, 8, 9, _encoded(created, form)),
        )
    )
    prefix = _PREFIX.pack(0x200, 32, 1, sha256(material).digest(), 32, 2, sha256(hashed).digest())
    return KeyCredential(prefix + hashed)


def _encoded(moment: datetime | KeyTime, form: TimeForm) -> int:
    if isinstance(moment, KeyTime):
        return moment.converted(form).raw
    return KeyTime.from_datetime(moment, form).raw
