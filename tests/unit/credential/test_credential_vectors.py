"""The published key credentials from real directories are read as their publisher reads them."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

import pytest
from credential_samples import VECTORS

from keytrust.credential import (
    CustomKeyFlags,
    EcPublicKey,
    KeyCredential,
    KeySource,
    KeyUsage,
    MaterialKind,
    RsaPublicKey,
    TimeKind,
    parse_material,
    to_rsa1,
)


def read(name: str) -> KeyCredential:
    return KeyCredential.from_bytes(VECTORS[name])


@pytest.mark.parametrize("name", VECTORS)
def test_every_published_value_is_written_back_byte_for_byte(name: str) -> None:
    credential = read(name)
    assert credential.to_bytes() == VECTORS[name]
    assert KeyCredential.from_entries(credential.entries).to_bytes() == VECTORS[name]


@pytest.mark.parametrize("name", VECTORS)
def test_every_published_value_is_intact(name: str) -> None:
    # None of the five has a real problem. Two things about the FIDO key only look like one: its KeyID is the id of the
    # WebAuthn credential instead of a hash, and its last logon is "never": year 1, moved by the writer's time zone.
    credential = read(name)
    assert credential.problems() == ()
    assert credential.is_intact()


@pytest.mark.parametrize("name", VECTORS)
def test_one_flipped_bit_anywhere_after_the_version_is_noticed_or_refused(name: str) -> None:
    data = VECTORS[name]
    for position in range(4, len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        try:
            credential = KeyCredential.from_bytes(bytes(changed))
        except ValueError:
            continue
        assert not credential.is_intact(), position


def test_a_users_key() -> None:
    credential = read("UserKey1")
    assert (credential.version, credential.usage, credential.source) == (0x200, KeyUsage.NGC, KeySource.AD)
    assert [identifier for identifier, _ in credential.entries] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert credential.device_id == UUID("47f577e3-d2d0-4a0a-8aca-e0501098bde4")
    assert str(credential.created) == "2018-06-13T22:32:38.1684545Z"
    assert credential.last_logon == credential.created
    information = credential.custom_key_information
    assert information is not None
    assert (information.version, information.flags, information.volume_type) == (1, CustomKeyFlags.NONE, None)
    assert credential.key_material is not None
    assert credential.computed_key_id == credential.key_id == sha256(credential.key_material).digest()
    material = parse_material(credential.key_material)
    assert material.kind is MaterialKind.RSA1
    assert isinstance(material.public_key, RsaPublicKey)
    assert (material.public_key.bits, material.public_key.e) == (2048, 65537)
    assert to_rsa1(material.public_key.n, material.public_key.e) == credential.key_material


def test_a_key_registered_without_a_second_factor_says_so() -> None:
    credential = read("NonMFAKey")
    information = credential.custom_key_information
    assert information is not None
    assert information.flags == CustomKeyFlags.MFA_NOT_USED
    assert credential.device_id is None
    assert credential.key_material is not None
    assert parse_material(credential.key_material).kind is MaterialKind.PKCS1


def test_a_security_key() -> None:
    credential = read("UserKeyFIDO0")
    assert (credential.usage, credential.source) == (KeyUsage.FIDO, KeySource.AZURE_AD)
    assert credential.device_id == UUID(int=0)
    assert str(credential.created) == "2019-06-21T16:04:56.9178259Z"
    assert credential.created is not None
    assert credential.created.kind is TimeKind.UTC
    assert str(credential.last_logon) == "0001-01-01T08:00:00.0000000Z"
    information = credential.custom_key_information
    assert information is not None
    assert len(information.raw) == 15
    assert information.flags == CustomKeyFlags.ATTESTATION
    assert credential.key_material is not None
    material = parse_material(credential.key_material)
    assert material.kind is MaterialKind.FIDO
    assert isinstance(material.public_key, EcPublicKey)
    assert material.public_key.curve == "P-256"
    material.public_key.to_cryptography()  # raises unless the point lies on the curve
    assert material.fido is not None
    assert material.fido.display_name == "Yubikey 5"
    assert material.fido.credential_id == credential.key_id
    assert credential.computed_key_id != credential.key_id
    # The AAGUID that the vendor publishes for the YubiKey 5 with NFC, firmware 5.1.
    assert material.fido.aaguid == UUID("fa2b99dc-9e39-4257-8f92-4a30d23c4118")
    assert material.fido.certificates


def test_a_devices_transport_key_in_a_tpm() -> None:
    credential = read("DeviceKey_TPM")
    assert (credential.usage, credential.source) == (KeyUsage.STK, KeySource.AD)
    assert credential.key_material is not None
    material = parse_material(credential.key_material)
    assert material.kind is MaterialKind.TPM
    assert isinstance(material.public_key, RsaPublicKey)
    assert (material.public_key.bits, material.public_key.e) == (2048, 65537)


def test_a_computers_key() -> None:
    credential = read("ComputerKey")
    assert (credential.custom_key_information, credential.device_id) == (None, None)
    assert str(credential.created) == "2018-05-28T08:06:51.6144809Z"
    assert str(credential.last_logon) == "2018-06-12T10:03:01.8357553Z"
    assert credential.key_material is not None
    material = parse_material(credential.key_material)
    assert material.kind is MaterialKind.PKCS1
    assert isinstance(material.public_key, RsaPublicKey)
    assert material.public_key.bits == 2048
