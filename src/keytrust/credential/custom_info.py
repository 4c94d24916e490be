"""The CustomKeyInformation entry ([MS-ADTS] 2.2.20.4, CUSTOM_KEY_INFORMATION)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag


class CustomKeyFlags(IntFlag):
    """Flags of a key."""

    NONE = 0
    ATTESTATION = 1
    MFA_NOT_USED = 2


class VolumeType(IntEnum):
    """The kind of volume that a key protects."""

    NONE = 0
    OPERATING_SYSTEM = 1
    FIXED_DATA = 2
    REMOVABLE_DATA = 3


class KeyStrength(IntEnum):
    """How strong the issuer thinks a key is. Not to be relied on: weak keys have been called normal."""

    UNKNOWN = 0
    WEAK = 1
    NORMAL = 2


_VOLUME_TYPES: dict[int, VolumeType] = {int(member): member for member in VolumeType}
_STRENGTHS: dict[int, KeyStrength] = {int(member): member for member in KeyStrength}


@dataclass(frozen=True, slots=True)
class CustomKeyInformation:
    """Custom key information of any length, its fields present as far as the bytes reach.

    The specification knows a 2-byte form and a form of 16 bytes and more; 4, 5, 6 and 15 bytes are found in real
    directories (the cloud writes 9 reserved bytes where 10 belong).

    Attributes:
        raw: The bytes as stored.
    """

    raw: bytes

    def _byte(self, index: int) -> int | None:
        return self.raw[index] if index < len(self.raw) else None

    @property
    def version(self) -> int | None:
        """Version of the structure; 1 is the only one known."""
        return self._byte(0)

    @property
    def flags(self) -> CustomKeyFlags | None:
        """Flags, unknown bits kept."""
        value = self._byte(1)
        return None if value is None else CustomKeyFlags(value)

    @property
    def volume_type(self) -> int | None:
        """A ``VolumeType`` when it is a known one."""
        value = self._byte(2)
        return None if value is None else _VOLUME_TYPES.get(value, value)

    @property
    def supports_notification(self) -> bool | None:
        """Whether the device supports notification."""
        value = self._byte(3)
        return None if value is None else bool(value)

    @property
    def fek_key_version(self) -> int | None:
        """Version of the file encryption key."""
        return self._byte(4)

    @property
    def key_strength(self) -> int | None:
        """A ``KeyStrength`` when it is a known one."""
        value = self._byte(5)
        return None if value is None else _STRENGTHS.get(value, value)

    @property
    def reserved(self) -> bytes:
        """The up to 10 reserved bytes."""
        return self.raw[6:16]

    @property
    def extended(self) -> bytes:
        """The encoded extended custom key information (opaque CBOR) that may follow."""
        return self.raw[16:]
