"""What is dangerous about an RSA public key. It only reports; the policy is the caller's."""

from __future__ import annotations

from enum import StrEnum
from math import gcd, isqrt, prod

from keytrust.credential.public_keys import MAX_RSA_BITS
from keytrust.credential.roca import has_roca_fingerprint

MIN_RSA_BITS = 2048
"""Shorter keys are called short; Windows Hello makes 2048-bit keys (NIST SP 800-57 part 1: 112 bits of security)."""

_MIN_EXPONENT, _EXPONENT_LIMIT = 65537, 1 << 256  # FIPS 186-5 A.1.1: 2**16 < e < 2**256, odd
_SMALL_PRIME_LIMIT = 1000


class Weakness(StrEnum):
    """Stable names of what can be dangerous about an RSA public key."""

    ABSURD_SIZE = "absurd-size"
    """More than ``MAX_RSA_BITS``, or not positive; nothing else was tested."""
    ROCA = "roca"
    """CVE-2017-15361: the private key can be computed."""
    SHORT = "short"
    """Fewer than ``MIN_RSA_BITS``."""
    BAD_EXPONENT = "bad-exponent"
    """Even, below 65537, or 2**256 and more."""
    EVEN_MODULUS = "even-modulus"
    SMALL_FACTOR = "small-factor"
    """The modulus has a small odd prime factor."""
    SQUARE_MODULUS = "square-modulus"
    """The modulus is a perfect square: both primes are the same."""


def _odd_primes(limit: int) -> list[int]:
    return [n for n in range(3, limit, 2) if all(n % divisor for divisor in range(3, isqrt(n) + 1, 2))]


_SMALL_PRIMES = prod(_odd_primes(_SMALL_PRIME_LIMIT))
_SQUARES_MODULO_4096 = frozenset(n * n % 4096 for n in range(4096))


def _may_be_square(n: int) -> bool:
    """Rule out six odd numbers of seven, since the test itself takes a square root of 2048 bits."""
    return n & 4095 in _SQUARES_MODULO_4096


def weaknesses(n: int, e: int) -> tuple[Weakness, ...]:
    """List what is dangerous about the RSA public key with modulus ``n`` and exponent ``e``; ``()`` if nothing is."""
    if n <= 0 or e <= 0 or n.bit_length() > MAX_RSA_BITS:
        return (Weakness.ABSURD_SIZE,)
    found = []
    if has_roca_fingerprint(n):
        found.append(Weakness.ROCA)
    if n.bit_length() < MIN_RSA_BITS:
        found.append(Weakness.SHORT)
    if e % 2 == 0 or not _MIN_EXPONENT <= e < _EXPONENT_LIMIT:
        found.append(Weakness.BAD_EXPONENT)
    if n % 2 == 0:
        found.append(Weakness.EVEN_MODULUS)
    if gcd(n, _SMALL_PRIMES) != 1:
        found.append(Weakness.SMALL_FACTOR)
    if _may_be_square(n) and isqrt(n) ** 2 == n:
        found.append(Weakness.SQUARE_MODULUS)
    return tuple(found)
