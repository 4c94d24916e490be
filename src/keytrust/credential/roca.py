"""The fingerprint of RSA keys made by the flawed Infineon library (ROCA, CVE-2017-15361).

Its primes are ``k * M + (65537 ** a mod M)`` with M a product of the first primes, so that a modulus, too, is a power
of 65537 modulo M. Whether it is one shows in a discrete logarithm, which is easy to take because the order of 65537
modulo M has only small prime factors. A random modulus passes by chance once in about 2 ** 154.

Source: Nemec, Sys, Svenda, Klinec, Matyas, "The Return of Coppersmith's Attack", ACM CCS 2017, section 2.
"""

from __future__ import annotations

from math import lcm, prod

_GENERATOR = 65537
_PRIMES = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109),
    *(113, 127, 131, 137, 139, 149, 151, 157, 163, 167),
)
_PRIMORIAL = prod(_PRIMES)
"""The smallest M in use (for 512-bit keys); it divides those for longer keys, so one test serves all lengths."""


def _powers(prime: int) -> frozenset[int]:
    """The subgroup that the generator spans modulo ``prime``."""
    return frozenset(pow(_GENERATOR, exponent, prime) for exponent in range(prime - 1))


_SUBGROUPS = tuple((prime, _powers(prime)) for prime in _PRIMES)
_MOST_TELLING_FIRST = tuple(sorted(_SUBGROUPS, key=lambda each: len(each[1]) / each[0]))
_ORDER = lcm(*(len(powers) for _, powers in _SUBGROUPS))
"""The order of the generator modulo the primorial."""


def _prime_powers(number: int) -> tuple[tuple[int, int], ...]:
    """Factor ``number``, whose prime factors are all small, into ``(prime, prime ** multiplicity)``."""
    found = []
    for prime in (2, *_PRIMES):
        power = 1
        while number % prime == 0:
            number //= prime
            power *= prime
        if power > 1:
            found.append((prime, power))
    return tuple(found)


_ORDER_FACTORS = _prime_powers(_ORDER)


def has_roca_fingerprint(modulus: int) -> bool:
    """Whether an RSA modulus has the structure of the flawed library's keys."""
    if modulus % 2 == 0:
        return False
    # Nearly every other modulus fails modulo one of the first few primes already.
    residue = modulus % _PRIMORIAL
    for prime, powers in _MOST_TELLING_FIRST:
        if residue % prime not in powers:
            return False
    return _logarithm(residue) is not None


def _logarithm(element: int) -> int | None:
    """The ``a`` with ``65537 ** a == element`` modulo the primorial, by Pohlig and Hellman; None if there is none."""
    exponent, modulus = 0, 1
    for _, power in _ORDER_FACTORS:
        base = pow(_GENERATOR, _ORDER // power, _PRIMORIAL)
        target = pow(element, _ORDER // power, _PRIMORIAL)
        partial = next((a for a in range(power) if pow(base, a, _PRIMORIAL) == target), None)
        if partial is None:
            return None
        exponent += modulus * ((partial - exponent) * pow(modulus, -1, power) % power)
        modulus *= power
    return exponent if pow(_GENERATOR, exponent, _PRIMORIAL) == element else None
