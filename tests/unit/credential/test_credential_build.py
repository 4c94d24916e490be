"""Built values are, byte for byte, those that Entra Connect writes, or their portable form."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from credential_samples import CREATED, DEVICE, MATERIAL

from keytrust.credential import (
    Dialect,
    KeyCredentialError,
    KeySource,
    KeyTime,
    KeyUsage,
    TimeForm,
    TimeKind,
    build,
)

ALL_DIALECTS = list(Dialect)


def expected(information: str) -> bytes:
    """The layout of a value of Entra Connect written out by hand for MATERIAL, DEVICE and CREATED."""
    # 1970-01-01 in ticks, the seconds since (as date(1) counts them) and the fraction; the kind bits of UTC come below.
    created_ticks = 621_355_968_000_000_000 + 1_709_210_096 * 10_000_000 + 7_890_120
    hashed = b"".join(
        (
            bytes.fromhex("1b0103") + MATERIAL,
            bytes.fromhex("010004" + "01"),
            bytes.fromhex("010005" + "01"),
            bytes.fromhex("100006" + "e377f547d0d20a4a8acae0501098bde4"),
            bytes.fromhex(information),
            bytes.fromhex("080008" + "0000000000000000"),
            bytes.fromhex("080009") + (created_ticks + 0x4000_0000_0000_0000).to_bytes(8, "little"),
        )
    )
    key_id, key_hash = sha256(MATERIAL).digest(), sha256(hashed).digest()
    return bytes.fromhex("00020000200001") + key_id + bytes.fromhex("200002") + key_hash + hashed


def test_the_entra_dialect() -> None:
    credential = build(MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.ENTRA)
    assert credential.to_bytes() == expected("0f0007" + "010000000002000000000000000000")


def test_the_portable_dialect() -> None:
    credential = build(MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.PORTABLE)
    assert credential.to_bytes() == expected("020007" + "0100")


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_both_dialects_tell_the_same_key(dialect: Dialect) -> None:
    credential = build(MATERIAL, device_id=DEVICE, created=CREATED, dialect=dialect)
    assert (credential.usage, credential.source, credential.device_id) == (KeyUsage.NGC, KeySource.AZURE_AD, DEVICE)
    assert credential.created is not None
    assert (credential.created.datetime(), credential.created.kind) == (CREATED, TimeKind.UTC)
    assert credential.last_logon == KeyTime(0, TimeForm.BINARY)
    assert credential.key_id == credential.computed_key_id
    assert credential.problems() == ()
    assert credential.is_intact()


def test_the_clouds_own_custom_key_information_is_copied_or_cut() -> None:
    own = bytes.fromhex("0102000101020000000000000000000000a0")
    entra = build(
        MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.ENTRA, custom_key_information=own
    ).custom_key_information
    portable = build(
        MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.PORTABLE, custom_key_information=own
    ).custom_key_information
    assert entra is not None
    assert portable is not None
    assert (entra.raw, portable.raw) == (own, b"\x01\x02")


def test_without_a_device_the_entry_is_left_out() -> None:
    credential = build(MATERIAL, device_id=None, created=CREATED, dialect=Dialect.ENTRA)
    assert [identifier for identifier, _ in credential.entries] == [1, 2, 3, 4, 5, 7, 8, 9]
    assert credential.problems() == ()
    zero = build(MATERIAL, device_id=UUID(int=0), created=CREATED, dialect=Dialect.ENTRA)
    assert zero.value(6) == bytes(16)


def test_keys_of_active_directory_carry_filetimes() -> None:
    credential = build(
        MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.ENTRA, source=KeySource.AD, last_logon=CREATED
    )
    assert credential.created == KeyTime.from_datetime(CREATED, TimeForm.FILETIME)
    assert credential.last_logon == credential.created
    assert credential.problems() == ()


def test_a_stored_time_is_kept_to_the_last_bit() -> None:
    time = KeyTime.from_isoformat("2019-06-21T16:04:56.9178259Z", TimeForm.BINARY)
    unspecified = KeyTime(time.ticks, TimeForm.BINARY)
    for created in (time, unspecified):
        assert build(MATERIAL, device_id=DEVICE, created=created, dialect=Dialect.ENTRA).created == created
    as_filetime = build(MATERIAL, device_id=DEVICE, created=time, dialect=Dialect.ENTRA, source=0).created
    assert str(as_filetime) == "2019-06-21T16:04:56.9178259Z"


def test_the_same_arguments_give_the_same_bytes() -> None:
    one, two = (build(MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.ENTRA) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
@pytest.mark.parametrize(
    "bad",
    [
        {"material": b""},
        {"material": bytes(65536)},
        {"custom_key_information": b""},
        {"custom_key_information": b"\x01"},
        {"usage": 256},
        {"usage": -1},
        {"source": 256},
        {"created": datetime(2020, 1, 1)},
        {"created": datetime(1500, 1, 1, tzinfo=UTC), "source": 0},
        {"last_logon": datetime(2020, 1, 1)},
    ],
)
def test_what_cannot_be_encoded_is_refused(dialect: Dialect, bad: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"material": MATERIAL, "device_id": DEVICE, "created": CREATED, "dialect": dialect}
    arguments |= bad
    material = arguments.pop("material")
    with pytest.raises(KeyCredentialError):
        build(material, **arguments)


def test_custom_key_information_that_is_too_long_is_refused_where_it_would_be_stored() -> None:
    with pytest.raises(KeyCredentialError):
        build(MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.ENTRA, custom_key_information=bytes(65536))
