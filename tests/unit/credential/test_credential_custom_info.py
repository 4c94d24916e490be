"""Custom key information of every length that directories hold is read as far as it reaches."""

from __future__ import annotations

import pytest

from keytrust.credential import (
    ENTRA_CUSTOM_KEY_INFORMATION,
    CustomKeyFlags,
    CustomKeyInformation,
    KeyStrength,
    VolumeType,
)

FULL = bytes([1, 3, 2, 1, 1, 2]) + bytes(range(10)) + b"\x00\x02\xa0\xa0"


def fields(size: int) -> list[object]:
    information = CustomKeyInformation(FULL[:size])
    return [
        information.version,
        information.flags,
        information.volume_type,
        information.supports_notification,
        information.fek_key_version,
        information.key_strength,
    ]


@pytest.mark.parametrize("size", range(len(FULL) + 1))
def test_fields_are_there_as_far_as_the_bytes_reach(size: int) -> None:
    both = CustomKeyFlags.ATTESTATION | CustomKeyFlags.MFA_NOT_USED
    expected: list[object] = [1, both, VolumeType.FIXED_DATA, True, 1, KeyStrength.NORMAL]
    assert fields(size) == [value if index < size else None for index, value in enumerate(expected)]
    assert CustomKeyInformation(FULL[:size]).reserved == FULL[6 : min(size, 16)]
    assert CustomKeyInformation(FULL[:size]).extended == FULL[16:size]


def test_unknown_numbers_are_kept_as_numbers() -> None:
    information = CustomKeyInformation(bytes([7, 0xF4, 9, 0, 3, 200]))
    assert (information.version, information.volume_type, information.key_strength) == (7, 9, 200)
    assert information.flags is not None
    assert int(information.flags) == 0xF4


def test_the_clouds_own_bytes() -> None:
    information = CustomKeyInformation(ENTRA_CUSTOM_KEY_INFORMATION)
    assert (len(information.raw), information.flags, information.fek_key_version) == (15, CustomKeyFlags.NONE, 0)
    assert information.key_strength is KeyStrength.NORMAL
    assert information.reserved == bytes(9)
