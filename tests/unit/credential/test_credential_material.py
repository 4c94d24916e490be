"""Key material of all five kinds gives the public key, and the same RSA key is recognised in every encoding."""

from __future__ import annotations

import base64
import json
from hashlib import sha256

import pytest
from credential_samples import MATERIAL, MODULUS, VECTORS
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keytrust.credential import (
    EcPublicKey,
    KeyCredential,
    KeyCredentialError,
    MaterialKind,
    OtherPublicKey,
    RsaPublicKey,
    canonical_key_id,
    parse_material,
    rsa1_from_key,
    to_rsa1,
)

RSA = rsa.RSAPublicNumbers(65537, MODULUS | 1).public_key()
NUMBERS = RsaPublicKey(MODULUS | 1, 65537)
CURVE_KEYS = [ec.generate_private_key(curve).public_key() for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())]


def der(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pkcs1(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)


def tpm2b(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def tpm(parameters: bytes, kind: int, *, header: int = 56) -> bytes:
    public = tpm2b(kind.to_bytes(2, "big") + bytes.fromhex("000b00030472") + tpm2b(b"policy") + parameters)
    start = b"PCPM" + b"".join(n.to_bytes(4, "little") for n in (header, 2, 0, len(public), 3))
    return start.ljust(header, b"\0") + public + b"pri"


def tpm_rsa(n: int, *, exponent: int = 0, scheme: str = "0010") -> bytes:
    modulus = n.to_bytes((n.bit_length() + 7) // 8, "big")
    parameters = bytes.fromhex("0010" + scheme) + n.bit_length().to_bytes(2, "big") + exponent.to_bytes(4, "big")
    return tpm(parameters + tpm2b(modulus), 1)


def fido(cose: bytes, **members: object) -> bytes:
    data = bytes(32) + b"\x45" + bytes(4) + bytes(16) + b"\x00\x04" + b"cred" + cose
    return json.dumps({"version": 1, "authData": base64.b64encode(data).decode(), "x5c": []} | members).encode()


def cose_bytes(value: bytes) -> bytes:
    return b"\x59" + len(value).to_bytes(2, "big") + value


def fido_rsa(n: int) -> bytes:
    modulus = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return fido(b"\xa4\x01\x03\x03\x39\x01\x00\x20" + cose_bytes(modulus) + b"\x21\x43\x01\x00\x01")


RSA_ENCODINGS = {
    MaterialKind.RSA1: to_rsa1(MODULUS | 1, 65537),
    MaterialKind.SPKI: der(RSA),
    MaterialKind.PKCS1: pkcs1(RSA),
    MaterialKind.TPM: tpm_rsa(MODULUS | 1),
    MaterialKind.FIDO: fido_rsa(MODULUS | 1),
}


@pytest.mark.parametrize("kind", RSA_ENCODINGS)
def test_an_rsa_key_is_read_from_every_encoding(kind: MaterialKind) -> None:
    material = parse_material(RSA_ENCODINGS[kind])
    assert (material.kind, material.public_key) == (kind, NUMBERS)
    assert NUMBERS.to_cryptography().public_numbers() == RSA.public_numbers()


def test_the_same_rsa_key_has_one_canonical_id_in_all_encodings() -> None:
    assert {canonical_key_id(material) for material in RSA_ENCODINGS.values()} == {sha256(rsa1_from_key(RSA)).digest()}
    padded = b"RSA1" + b"".join(n.to_bytes(4, "little") for n in (2048, 4, 257, 0, 0))
    assert canonical_key_id(padded + bytes.fromhex("00010001") + b"\0" + RSA_ENCODINGS[MaterialKind.RSA1][-256:]) in {
        canonical_key_id(RSA_ENCODINGS[MaterialKind.SPKI])
    }


def test_another_key_has_another_canonical_id() -> None:
    assert canonical_key_id(to_rsa1(MODULUS + 2, 65537)) != canonical_key_id(to_rsa1(MODULUS, 65537))
    assert canonical_key_id(to_rsa1(MODULUS, 3)) != canonical_key_id(to_rsa1(MODULUS, 65537))


def test_the_canonical_id_of_a_users_key_is_its_key_id() -> None:
    credential = KeyCredential.from_bytes(VECTORS["UserKey1"])
    assert credential.key_material is not None
    assert canonical_key_id(credential.key_material) == credential.key_id


@pytest.mark.parametrize(
    "material",
    [b"", b"junk", b"RSA1", b"{", b"\x30\x00", der(CURVE_KEYS[0])],
    ids=["nothing", "junk", "RSA1-header", "JSON-begun", "empty-sequence", "elliptic-curve"],
)
def test_what_is_no_readable_rsa_key_has_no_canonical_id(material: bytes) -> None:
    assert canonical_key_id(material) is None


def test_the_rsa1_form_is_that_of_windows() -> None:
    assert len(MATERIAL) == 283
    assert MATERIAL[:27].hex() == "525341310008000003000000000100000000000000000000010001"
    assert MATERIAL[27:] == MODULUS.to_bytes(256, "big")
    users = KeyCredential.from_bytes(VECTORS["UserKey1"]).key_material
    assert users is not None
    key = parse_material(users).public_key
    assert isinstance(key, RsaPublicKey)
    assert rsa1_from_key(key.to_cryptography()) == users


@pytest.mark.parametrize("key", CURVE_KEYS, ids=lambda key: key.curve.name)
def test_an_elliptic_curve_key_is_read_from_spki_tpm_and_fido(key: ec.EllipticCurvePublicKey) -> None:
    numbers, size = key.public_numbers(), (key.key_size + 7) // 8
    x, y = numbers.x.to_bytes(size, "big"), numbers.y.to_bytes(size, "big")
    index = [256, 384, 521].index(key.key_size)
    parameters = bytes.fromhex("0010" + "0018000b") + (3 + index).to_bytes(2, "big") + bytes.fromhex("0010")
    cose = b"\xa5\x01\x02\x03\x26\x20" + bytes([1 + index]) + b"\x21" + cose_bytes(x) + b"\x22" + cose_bytes(y)
    expected = EcPublicKey.from_cryptography(key)
    assert (expected.x, expected.y) == (numbers.x, numbers.y)
    for material in (der(key), tpm(parameters + tpm2b(x) + tpm2b(y), 0x23), fido(cose)):
        assert parse_material(material).public_key == expected
    assert expected.to_cryptography().public_numbers() == numbers


def test_keys_of_other_algorithms_are_named() -> None:
    material = der(ed25519.Ed25519PrivateKey.generate().public_key())
    assert parse_material(material).public_key == OtherPublicKey("1.3.101.112")
    assert parse_material(fido(b"\xa1\x01\x01")).public_key == OtherPublicKey("COSE key type 1")


def test_an_unusual_curve_is_refused() -> None:
    with pytest.raises(KeyCredentialError, match="secp256k1"):
        parse_material(der(ec.generate_private_key(ec.SECP256K1()).public_key()))


def test_a_tpm_key_names_its_exponent_and_scheme() -> None:
    for scheme in ("0010", "0014000b", "0015", "0016000b"):
        assert parse_material(tpm_rsa(MODULUS, exponent=3, scheme=scheme)).public_key == RsaPublicKey(MODULUS, 3)


def test_fido_material_tells_of_the_authenticator() -> None:
    certificate = base64.b64encode(b"certificate").decode()
    details = parse_material(fido(b"\xa1\x01\x01", displayName="Clé n° 1", x5c=[certificate])).fido
    assert details is not None
    assert (details.display_name, details.certificates, details.credential_id) == (
        "Clé n° 1",
        (b"certificate",),
        b"cred",
    )
    assert (details.version, details.flags, details.sign_count) == (1, 0x45, 0)


def test_an_unusable_rsa_key_is_read_but_not_handed_to_cryptography() -> None:
    with pytest.raises(KeyCredentialError, match="not usable"):
        RsaPublicKey(15, 2).to_cryptography()
    with pytest.raises(KeyCredentialError, match="not usable"):
        EcPublicKey("P-256", 1, 1).to_cryptography()
    with pytest.raises(KeyCredentialError, match="P-999"):
        EcPublicKey("P-999", 1, 1).to_cryptography()
