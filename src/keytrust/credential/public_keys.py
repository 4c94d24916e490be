"""Public keys as plain numbers, and the one form in which RSA keys are written: the BCRYPT ``RSA1`` blob."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keytrust.credential.errors import KeyCredentialError

MAX_RSA_BITS = 16_384
"""Larger moduli are refused as absurd: no Windows or Samba domain controller accepts them, and they only cost time."""

_RSA1_HEADER = Struct("<4s5I")  # magic, modulus bits, exponent bytes, modulus bytes, two prime lengths that are zero
_RSA1_MAGIC = b"RSA1"

_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}


@dataclass(frozen=True, slots=True)
class RsaPublicKey:
    """An RSA public key; whether it is a good one is for ``weaknesses`` to say.

    Attributes:
        n: Modulus, at least 1 and of at most ``MAX_RSA_BITS``.
        e: Public exponent, at least 1 and no longer than the modulus.

    Raises:
        KeyCredentialError: the numbers are outside those bounds.
    """

    n: int
    e: int

    def __post_init__(self) -> None:
        if self.n < 1 or self.e < 1:
            raise KeyCredentialError("an RSA key with a modulus or exponent of zero or less is not a key")
        if self.n.bit_length() > MAX_RSA_BITS:
            raise KeyCredentialError(
                f"an RSA key of {self.n.bit_length()} bits is absurd; {MAX_RSA_BITS} are the limit"
            )
        if self.e.bit_length() > self.n.bit_length():
            raise KeyCredentialError("an RSA key with an exponent longer than its modulus is not a key")

    @property
    def bits(self) -> int:
        """Length of the modulus."""
        return self.n.bit_length()

    @classmethod
    def from_cryptography(cls, key: rsa.RSAPublicKey) -> RsaPublicKey:
        """Take the numbers of a ``cryptography`` key."""
        numbers = key.public_numbers()
        return cls(numbers.n, numbers.e)

    def to_cryptography(self) -> rsa.RSAPublicKey:
        """The same key for ``cryptography``.

        Raises:
            KeyCredentialError: ``cryptography`` does not take such a key (an even or tiny modulus, say).
        """
        try:
            return rsa.RSAPublicNumbers(self.e, self.n).public_key()
        except ValueError as error:
            raise KeyCredentialError("the RSA key is not usable", detail=str(error)) from error


@dataclass(frozen=True, slots=True)
class EcPublicKey:
    """An elliptic curve public key.

    Attributes:
        curve: ``P-256``, ``P-384`` or ``P-521``.
        x: First coordinate.
        y: Second coordinate.
    """

    curve: str
    x: int
    y: int

    @classmethod
    def from_cryptography(cls, key: ec.EllipticCurvePublicKey) -> EcPublicKey:
        """Take the numbers of a ``cryptography`` key.

        Raises:
            KeyCredentialError: the curve is none of the three.
        """
        numbers = key.public_numbers()
        for name, curve in _CURVES.items():
            if isinstance(numbers.curve, curve):
                return cls(name, numbers.x, numbers.y)
        raise KeyCredentialError(f"the elliptic curve {numbers.curve.name} is not used in key credentials")

    def to_cryptography(self) -> ec.EllipticCurvePublicKey:
        """The same key for ``cryptography``.

        Raises:
            KeyCredentialError: the curve is not known, or the point is not on it.
        """
        curve = _CURVES.get(self.curve)
        if curve is None:
            raise KeyCredentialError(f"the elliptic curve {self.curve} is not used in key credentials")
        try:
            return ec.EllipticCurvePublicNumbers(self.x, self.y, curve()).public_key()
        except ValueError as error:
            raise KeyCredentialError("the elliptic curve key is not usable", detail=str(error)) from error


@dataclass(frozen=True, slots=True)
class OtherPublicKey:
    """A public key of an algorithm that key trust does not use (Ed25519, say).

    Attributes:
        algorithm: Its object identifier in dotted form, or its COSE name.
    """

    algorithm: str


PublicKey = RsaPublicKey | EcPublicKey | OtherPublicKey


def to_rsa1(n: int, e: int) -> bytes:
    """Encode an RSA public key as a BCRYPT_RSAPUBLIC_BLOB (``RSA1``), the form that every domain controller reads.

    283 bytes for RSA-2048 with exponent 65537.

    Raises:
        KeyCredentialError: see ``RsaPublicKey``.
    """
    bits = RsaPublicKey(n, e).bits
    exponent = e.to_bytes((e.bit_length() + 7) // 8, "big")
    modulus = n.to_bytes((bits + 7) // 8, "big")
    return _RSA1_HEADER.pack(_RSA1_MAGIC, bits, len(exponent), len(modulus), 0, 0) + exponent + modulus


def is_canonical_rsa1(material: bytes, key: RsaPublicKey) -> bool:
    """Whether ``material``, of which ``parse_rsa1`` made ``key``, is what ``to_rsa1`` would make; quicker than that."""
    exponent_bytes, modulus_bytes = (key.e.bit_length() + 7) // 8, (key.bits + 7) // 8
    return material.startswith(_RSA1_HEADER.pack(_RSA1_MAGIC, key.bits, exponent_bytes, modulus_bytes, 0, 0))


def rsa1_from_key(key: rsa.RSAPublicKey) -> bytes:
    """``to_rsa1`` for a ``cryptography`` key."""
    numbers = key.public_numbers()
    return to_rsa1(numbers.n, numbers.e)


def parse_rsa1(material: bytes) -> RsaPublicKey:
    """Read a BCRYPT_RSAPUBLIC_BLOB.

    Raises:
        KeyCredentialError: it is cut short, has bytes to spare, or contradicts itself.
    """
    if len(material) < _RSA1_HEADER.size:
        raise KeyCredentialError("the RSA1 key material is shorter than its header")
    magic, bits, exponent_bytes, modulus_bytes, *primes = _RSA1_HEADER.unpack_from(material)
    if magic != _RSA1_MAGIC or any(primes):
        raise KeyCredentialError("the RSA1 key material is not a public key blob")
    start = _RSA1_HEADER.size
    middle = start + exponent_bytes
    if middle + modulus_bytes != len(material):
        raise KeyCredentialError(
            f"the RSA1 key material announces {exponent_bytes} + {modulus_bytes} bytes of key, "
            f"{len(material) - start} are there"
        )
    key = RsaPublicKey(int.from_bytes(material[middle:], "big"), int.from_bytes(material[start:middle], "big"))
    if not key.bits <= bits <= 8 * modulus_bytes:
        raise KeyCredentialError(f"the RSA1 key material announces {bits} bits, its modulus has {key.bits}")
    return key
