"""The little DER that RSA keys need: PKCS#1 RSAPublicKey (RFC 8017 A.1.1) and SubjectPublicKeyInfo (RFC 5280 4.1).

Strict and without recursion: definite, minimal lengths only, nothing left over, so time is linear in the input.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.public_keys import EcPublicKey, OtherPublicKey, PublicKey, RsaPublicKey

_INTEGER, _BIT_STRING, _NULL, _OID, _SEQUENCE = 0x02, 0x03, 0x05, 0x06, 0x30
_RSA_ENCRYPTION = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1
_EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")  # 1.2.840.10045.2.1
_ABSENT_OR_NULL = (b"", bytes((_NULL, 0)))


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Split ``data`` into the contents of the element that it must begin with, and the rest."""
    if len(data) < 2 or data[0] != tag:
        raise KeyCredentialError("the DER key material does not have the structure of a public key")
    length, start = data[1], 2
    if length & 0x80:
        width = length & 0x7F
        start += width
        encoded = data[2:start]
        length = int.from_bytes(encoded, "big")
        if not 1 <= width <= 4 or len(encoded) < width or encoded[0] == 0 or length < 0x80:
            raise KeyCredentialError("the DER key material has a length that is not DER")
    if start + length > len(data):
        raise KeyCredentialError("the DER key material is cut short")
    return data[start : start + length], data[start + length :]


def _take_all(data: bytes, tag: int) -> bytes:
    contents, rest = _take(data, tag)
    if rest:
        raise KeyCredentialError(f"the DER key material has {len(rest)} stray bytes")
    return contents


def _positive(contents: bytes) -> int:
    if not contents or contents[0] & 0x80 or (contents[0] == 0 and len(contents) > 1 and not contents[1] & 0x80):
        raise KeyCredentialError("the DER key material has a number that is negative or not DER")
    return int.from_bytes(contents, "big")


def parse_pkcs1(material: bytes) -> RsaPublicKey:
    """Read an RSAPublicKey.

    Raises:
        KeyCredentialError: it is not exactly that.
    """
    modulus, rest = _take(_take_all(material, _SEQUENCE), _INTEGER)
    return RsaPublicKey(_positive(modulus), _positive(_take_all(rest, _INTEGER)))


def parse_spki(material: bytes) -> PublicKey:
    """Read a SubjectPublicKeyInfo.

    Raises:
        KeyCredentialError: it is not exactly that, or its elliptic curve is not a usual one.
    """
    algorithm, rest = _take(_take_all(material, _SEQUENCE), _SEQUENCE)
    identifier, parameters = _take(algorithm, _OID)
    bits = _take_all(rest, _BIT_STRING)
    if identifier == _RSA_ENCRYPTION:
        if parameters not in _ABSENT_OR_NULL or not bits or bits[0] != 0:
            raise KeyCredentialError("the DER key material is not a well-formed RSA SubjectPublicKeyInfo")
        return parse_pkcs1(bits[1:])
    if identifier == _EC_PUBLIC_KEY:
        return _elliptic(material)
    return OtherPublicKey(_dotted(identifier))


def is_pkcs1(material: bytes) -> bool:
    """Whether DER key material begins as an RSAPublicKey does and a SubjectPublicKeyInfo does not: with a number.

    Raises:
        KeyCredentialError: it is not DER.
    """
    contents, _ = _take(material, _SEQUENCE)
    return contents[:1] == bytes((_INTEGER,))


def _elliptic(material: bytes) -> EcPublicKey:
    try:
        key = load_der_public_key(material)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyCredentialError("the elliptic curve key material is not readable", detail=str(error)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise KeyCredentialError("the elliptic curve key material is not an elliptic curve key")
    return EcPublicKey.from_cryptography(key)


def _dotted(identifier: bytes) -> str:
    if not identifier or identifier[-1] & 0x80 or len(identifier) > 64:
        raise KeyCredentialError("the DER key material names no algorithm")
    arcs, arc = [], 0
    for byte in identifier:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
