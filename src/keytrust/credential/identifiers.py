"""The numbers of the key credential format: entry identifiers, usages, sources ([MS-ADTS] 2.2.20.5 and 2.2.20.6)."""

from __future__ import annotations

from enum import IntEnum


class EntryId(IntEnum):
    """Identifier of an entry in a key credential ([MS-ADTS] 2.2.20.6)."""

    KEY_ID = 1
    KEY_HASH = 2
    KEY_MATERIAL = 3
    KEY_USAGE = 4
    KEY_SOURCE = 5
    DEVICE_ID = 6
    CUSTOM_KEY_INFORMATION = 7
    LAST_LOGON = 8
    CREATED = 9


class KeyUsage(IntEnum):
    """What a key is for, by the numbers that real directories hold.

    The specification names NGC, FIDO and FEK only; the others are those that Windows tools know.
    """

    ADMIN = 0
    NGC = 1
    """Windows Hello for Business: a user's (or computer's) sign-in key."""
    STK = 2
    """The transport key of a device."""
    BITLOCKER_RECOVERY = 3
    OTHER = 4
    FIDO = 7
    FEK = 8
    """A file encryption key."""


class KeySource(IntEnum):
    """Where a key was registered. It also decides how the entry's times are encoded."""

    AD = 0
    AZURE_AD = 1


ENTRY_NAMES = {
    EntryId.KEY_ID: "KeyID",
    EntryId.KEY_HASH: "KeyHash",
    EntryId.KEY_MATERIAL: "KeyMaterial",
    EntryId.KEY_USAGE: "KeyUsage",
    EntryId.KEY_SOURCE: "KeySource",
    EntryId.DEVICE_ID: "DeviceId",
    EntryId.CUSTOM_KEY_INFORMATION: "CustomKeyInformation",
    EntryId.LAST_LOGON: "KeyApproximateLastLogonTimeStamp",
    EntryId.CREATED: "KeyCreationTime",
}
"""The specification's own name of every known entry."""
