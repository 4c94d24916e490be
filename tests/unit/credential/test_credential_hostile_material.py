"""Hostile key material costs a bounded amount and raises KeyCredentialError, nothing else."""

from __future__ import annotations

import base64
import json
from struct import pack

import pytest
from credential_samples import MATERIAL, VECTORS

from keytrust.credential import MAX_RSA_BITS, KeyCredential, KeyCredentialError, RsaPublicKey, parse_material, to_rsa1


def stored(name: str) -> bytes:
    material = KeyCredential.from_bytes(VECTORS[name]).key_material
    assert material is not None
    return material


def rsa1(bits: int, exponent: int, modulus: int, primes: tuple[int, int] = (0, 0), body: bytes = b"") -> bytes:
    return b"RSA1" + pack("<5I", bits, exponent, modulus, *primes) + body


def integer(value: bytes) -> bytes:
    return b"\x02\x82" + pack(">H", len(value)) + value


def sequence(value: bytes) -> bytes:
    return b"\x30\x82" + pack(">H", len(value)) + value


def fido(data: bytes) -> bytes:
    return json.dumps({"version": 1, "authData": base64.b64encode(data).decode()}).encode()


ATTESTED = bytes(32) + b"\x40" + bytes(4 + 16) + b"\x00\x00"
MODULUS_DER = integer(b"\x7f" * 256)
EXPONENT_DER = b"\x02\x03\x01\x00\x01"


def tpm(area: bytes, *, stray: bytes = b"") -> bytes:
    public = pack(">H", len(area)) + area + stray
    return b"PCPM" + pack("<4I", 56, 2, 0, len(public)) + bytes(36) + public


# TPMT_PUBLIC of an RSA-2048 key: kind, name algorithm, attributes, policy, symmetric, scheme, bits, exponent, modulus.
RSA_AREA = bytes.fromhex("0001000b00030472" + "0000" + "0010" + "0010" + "0800" + "00000000" + "0100") + b"\xff" * 256

HOSTILE = {
    "nothing": b"",
    "unknown kind": b"PEM?",
    "RSA1: header only": rsa1(2048, 3, 256),
    "RSA1: short header": MATERIAL[:20],
    "RSA1: lengths that lie about 4 GiB": rsa1(2048, 0xFFFFFFFF, 0xFFFFFFFF, body=b"x" * 259),
    "RSA1: lengths that add up after wrapping around": rsa1(2048, 0xFFFFFFFF, 4, body=b"abc"),
    "RSA1: one byte too many": MATERIAL + b"\0",
    "RSA1: one byte too few": MATERIAL[:-1],
    "RSA1: primes": rsa1(16, 1, 2, (1, 1), b"\x03\xff\xffab"),
    "RSA1: no modulus": rsa1(2048, 3, 0, body=b"\1\0\1"),
    "RSA1: no exponent": rsa1(2048, 0, 256, body=b"\xff" * 256),
    "RSA1: zero modulus": rsa1(2048, 3, 256, body=b"\1\0\1" + bytes(256)),
    "RSA1: more bits than announced": rsa1(1024, 3, 256, body=b"\1\0\1" + b"\xff" * 256),
    "RSA1: more bits announced than bytes": rsa1(4096, 3, 256, body=b"\1\0\1" + b"\xff" * 256),
    "RSA1: exponent longer than the modulus": rsa1(16, 256, 2, body=b"\xff" * 258),
    "RSA1: a huge modulus": rsa1(8 * 65000, 3, 65000, body=b"\1\0\1" + b"\xff" * 65000),
    "a megabyte": b"RSA1" + bytes(1 << 20),
    "DER: empty sequence": b"\x30\x00",
    "DER: indefinite length": b"\x30\x80" + MODULUS_DER + EXPONENT_DER + b"\0\0",
    "DER: length of 127 bytes": b"\x30\xff" + b"\xff" * 127,
    "DER: length beyond the end": b"\x30\x84\xff\xff\xff\xff" + MODULUS_DER,
    "DER: length of lengths beyond the end": b"\x30\x84\x01",
    "DER: length that is not minimal": b"\x30\x81\x05" + EXPONENT_DER,
    "DER: stray bytes": sequence(MODULUS_DER + EXPONENT_DER) + b"\0",
    "DER: stray bytes inside": sequence(MODULUS_DER + EXPONENT_DER + b"\x05\x00"),
    "DER: negative modulus": sequence(integer(b"\xff" * 256) + EXPONENT_DER),
    "DER: padded modulus": sequence(integer(b"\0\x7f" + b"\xff" * 255) + EXPONENT_DER),
    "DER: empty number": sequence(b"\x02\x00" + EXPONENT_DER),
    "DER: one number only": sequence(MODULUS_DER),
    "DER: a huge modulus": sequence(integer(b"\x7f" * 60000) + EXPONENT_DER),
    "DER: nested 16,000 deep": b"".join(b"\x30\x82" + pack(">H", 65000 - 4 * n) for n in range(16000)),
    "SPKI: endless identifier": sequence(sequence(b"\x06\x82\x01\x00" + b"\xff" * 256) + b"\x03\x01\x00"),
    "SPKI: identifier without an end": sequence(sequence(b"\x06\x02\x2b\x80") + b"\x03\x02\x00\x00"),
    "SPKI: empty bit string": bytes.fromhex("300f300b06092a864886f70d0101010300"),
    "SPKI: curve without a point": bytes.fromhex("3017301306072a8648ce3d020106082a8648ce3d0301070300"),
    "SPKI: point off the curve": bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004" + "01" * 64),
    "TPM: header only": b"PCPM",
    "TPM: lengths that lie": b"PCPM" + pack("<4I", 56, 2, 0, 0xFFFFFFFF) + bytes(36),
    "TPM: header length that lies": b"PCPM" + pack("<4I", 0xFFFFFFFF, 2, 0, 1) + bytes(36),
    "TPM: header inside the header": b"PCPM" + pack("<4I", 4, 2, 0, 8) + bytes(36),
    "TPM: no public area": b"PCPM" + pack("<4I", 56, 2, 0, 0) + bytes(36),
    "TPM: an older generation": b"PCPM" + pack("<4I", 20, 1, 0, 4) + bytes(4),
    "TPM: cut": stored("DeviceKey_TPM")[:200],
    "TPM: stray bytes after the public area": tpm(RSA_AREA, stray=b"\0"),
    "TPM: stray bytes in the public area": tpm(RSA_AREA + b"\0"),
    "TPM: a symmetric key": tpm(b"\x00\x08" + RSA_AREA[2:]),
    "TPM: more bits than announced": tpm(RSA_AREA.replace(b"\x08\x00" + bytes(4), b"\x04\x00" + bytes(4))),
    "TPM: unknown curve": tpm(
        bytes.fromhex("0023000b0003047200000010" + "001a000b0001" + "0099" + "0010" + "00000000")
    ),
    "FIDO: not JSON": b"{",
    "FIDO: not UTF-8": b'{"version":1,"authData":"\xff"}',
    "FIDO: nested deep": b'{"version":' + b"[" * 60000,
    "FIDO: nested deep and closed": b'{"version":' + b"[" * 30000 + b"]" * 30000 + b"}",
    "FIDO: a number of 60,000 digits": b'{"version":' + b"9" * 60000 + b"}",
    "FIDO: no version": b'{"authData":""}',
    "FIDO: version true": b'{"version":true,"authData":""}',
    "FIDO: no data": b'{"version":1}',
    "FIDO: data is a list": b'{"version":1,"authData":["A"]}',
    "FIDO: data is not base64": b'{"version":1,"authData":"%%%="}',
    "FIDO: half a character in the name": b'{"version":1,"authData":"","displayName":"\\ud800"}',
    "FIDO: chain is a number": b'{"version":1,"authData":"","x5c":7}',
    "FIDO: chain of numbers": b'{"version":1,"authData":"","x5c":[1]}',
    "FIDO: chain of thousands": b'{"version":1,"authData":"","x5c":[' + b'"",' * 9999 + b'""]}',
    "FIDO: data too short": fido(bytes(20)),
    "FIDO: no credential": fido(bytes(100)),
    "FIDO: credential id beyond the end": fido(ATTESTED[:-2] + b"\xff\xff" + bytes(10)),
    "FIDO: no key": fido(ATTESTED),
    "COSE: not a map": fido(ATTESTED + b"\x01"),
    "COSE: a map of 2**64 members": fido(ATTESTED + b"\xbb" + b"\xff" * 8),
    "COSE: indefinite map": fido(ATTESTED + b"\xbf\x01\x02\xff"),
    "COSE: nested": fido(ATTESTED + b"\xa1" * 5000),
    "COSE: a string of 2**64 bytes": fido(ATTESTED + b"\xa1\x01\x5b" + b"\xff" * 8),
    "COSE: cut in a number": fido(ATTESTED + b"\xa1\x19\x01"),
    "COSE: no key type": fido(ATTESTED + b"\xa0"),
    "COSE: key type is a string": fido(ATTESTED + b"\xa1\x01\x41x"),
    "COSE: RSA without numbers": fido(ATTESTED + b"\xa1\x01\x03"),
    "COSE: RSA with a zero modulus": fido(ATTESTED + b"\xa3\x01\x03\x20\x41\x00\x21\x41\x03"),
    "COSE: curve without a point": fido(ATTESTED + b"\xa2\x01\x02\x20\x01"),
    "COSE: unknown curve": fido(ATTESTED + b"\xa2\x01\x02\x20\x18\x63"),
    "COSE: curve is a string": fido(ATTESTED + b"\xa2\x01\x02\x20\x41\x01"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_material_is_refused(name: str) -> None:
    with pytest.raises(KeyCredentialError):
        parse_material(HOSTILE[name])


@pytest.mark.parametrize("name", ["UserKey1", "NonMFAKey", "DeviceKey_TPM", "ComputerKey", "UserKeyFIDO0"])
def test_material_cut_short_anywhere_raises_nothing_else(name: str) -> None:
    material = stored(name)
    public_area_end = 56 + int.from_bytes(material[16:20], "little")
    for size in range(len(material)):
        if name == "DeviceKey_TPM" and size >= public_area_end:
            parse_material(material[:size])  # only the private part, which nobody reads, is cut
            continue
        with pytest.raises(KeyCredentialError):
            parse_material(material[:size])


def test_the_tpm_material_that_the_hostile_ones_are_made_from_is_readable() -> None:
    assert parse_material(tpm(RSA_AREA)).public_key == RsaPublicKey((1 << 2048) - 1, 65537)


def test_the_ceiling_of_rsa_is_exact() -> None:
    largest = 1 << (MAX_RSA_BITS - 1) | 1
    material = to_rsa1(largest, 65537)
    assert parse_material(material).public_key == RsaPublicKey(largest, 65537)
    with pytest.raises(KeyCredentialError, match="absurd"):
        to_rsa1(largest << 1, 65537)


@pytest.mark.parametrize(("n", "e"), [(0, 1), (1, 0), (-5, 3), (5, -3), (3, 8)])
def test_impossible_numbers_are_refused(n: int, e: int) -> None:
    with pytest.raises(KeyCredentialError):
        to_rsa1(n, e)
