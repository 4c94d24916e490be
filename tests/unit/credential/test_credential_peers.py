"""Implementations that nobody here wrote read what we build, and we read what they build, field by field."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from credential_samples import CREATED, DEVICE, DN, MATERIAL, VECTORS
from cryptography.hazmat.primitives.asymmetric import rsa
from dsinternals.common.cryptography.RSAKeyMaterial import RSAKeyMaterial
from dsinternals.common.data.DNWithBinary import DNWithBinary
from dsinternals.common.data.hello.KeyCredential import KeyCredential as PeerCredential
from dsinternals.system.DateTime import DateTime
from dsinternals.system.Guid import Guid
from tests.support.peers import shadow_credentials

from keytrust.credential import (
    CustomKeyFlags,
    Dialect,
    KeyCredential,
    KeyCredentialLink,
    KeySource,
    KeyTime,
    KeyUsage,
    RsaPublicKey,
    TimeForm,
    attribute_text,
    build,
    canonical_key_id,
    parse_material,
    rsa1_from_key,
)

CREATED_FILETIME = KeyTime.from_datetime(CREATED, TimeForm.FILETIME).raw


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("source", list(KeySource))
def test_dsinternals_reads_what_we_build(dialect: Dialect, source: KeySource) -> None:
    # The peer takes every time for a FILETIME, and a zero for the present.
    last_logon = KeyTime(1, TimeForm.FILETIME) if source is KeySource.AD else None
    ours = build(MATERIAL, device_id=DEVICE, created=CREATED, dialect=dialect, source=source, last_logon=last_logon)
    theirs = PeerCredential.fromDNWithBinary(DNWithBinary.fromRawDNWithBinary(attribute_text(ours, DN).encode()))
    assert theirs.Owner == DN
    assert theirs.Version.value == ours.version
    assert base64.b64decode(theirs.Identifier) == ours.key_id
    assert theirs.KeyHash == ours.key_hash
    assert theirs.RawKeyMaterial.toRawBytes() == ours.key_material
    assert (theirs.Usage.value, theirs.Source.value) == (ours.usage, ours.source)
    assert UUID(theirs.DeviceId.toFormatD()) == ours.device_id == DEVICE
    information = ours.custom_key_information
    assert information is not None
    assert (theirs.CustomKeyInfo.Version, theirs.CustomKeyInfo.Flags.value) == (information.version, information.flags)
    assert theirs.CustomKeyInfo.VolumeType == information.volume_type
    assert theirs.CustomKeyInfo.Strength == information.key_strength
    if source is KeySource.AD:
        assert theirs.CreationTime.ticks == CREATED_FILETIME
        assert theirs.LastLogonTime.ticks == 1


def test_we_read_what_dsinternals_builds() -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    numbers = key.public_numbers()
    theirs = PeerCredential(
        RSAKeyMaterial(numbers.n, numbers.e, 2048), Guid.fromFormatD(str(DEVICE)), DN, DateTime(CREATED_FILETIME)
    )
    link = KeyCredentialLink.parse(theirs.toDNWithBinary().toString())
    ours = link.credential
    assert link.dn == DN
    assert ours.problems() == ()
    assert ours.is_intact()
    assert (ours.usage, ours.source, ours.device_id) == (KeyUsage.NGC, KeySource.AD, DEVICE)
    assert ours.key_material == rsa1_from_key(key)
    assert ours.created == ours.last_logon == KeyTime(CREATED_FILETIME, TimeForm.FILETIME)
    assert ours.custom_key_information is not None
    assert ours.custom_key_information.raw == b"\x01\x00"
    again = build(
        rsa1_from_key(key), device_id=DEVICE, created=CREATED, dialect=Dialect.PORTABLE, source=0, last_logon=CREATED
    )
    assert again.to_bytes() == theirs.toByteArray()


def test_we_read_what_impacket_builds() -> None:
    key = rsa.generate_private_key(65537, 2048)
    theirs = shadow_credentials.KeyCredential(key, deviceId=DEVICE.bytes_le, currentTime=CREATED_FILETIME)
    link = KeyCredentialLink.parse(shadow_credentials.toDNWithBinary2String(theirs.dumpBinary(), DN))
    ours = link.credential
    assert link.dn == DN
    assert ours.problems() == ()
    assert ours.is_intact()
    assert (ours.usage, ours.source, ours.device_id) == (KeyUsage.NGC, KeySource.AD, DEVICE)
    assert ours.created == KeyTime(CREATED_FILETIME, TimeForm.FILETIME)
    assert ours.last_logon is None
    assert ours.custom_key_information is not None
    assert ours.custom_key_information.flags == CustomKeyFlags.MFA_NOT_USED
    assert ours.key_material is not None
    assert parse_material(ours.key_material).public_key == RsaPublicKey.from_cryptography(key.public_key())
    assert canonical_key_id(ours.key_material) == ours.key_id


def test_dsinternals_and_we_read_the_same_from_a_published_value() -> None:
    ours = KeyCredential.from_bytes(VECTORS["UserKey1"])
    theirs = PeerCredential.fromDNWithBinary(DNWithBinary(DN, VECTORS["UserKey1"]))
    assert base64.b64decode(theirs.Identifier) == ours.key_id
    assert theirs.KeyHash == ours.key_hash
    assert ours.key_material is not None
    assert parse_material(ours.key_material).public_key == RsaPublicKey(
        theirs.RawKeyMaterial.modulus, theirs.RawKeyMaterial.exponent
    )
    assert UUID(theirs.DeviceId.toFormatD()) == ours.device_id
    assert ours.created is not None
    assert theirs.CreationTime.ticks == ours.created.raw
    assert theirs.verifyHash() is ours.is_intact() is True
