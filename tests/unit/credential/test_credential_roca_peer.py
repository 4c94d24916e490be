"""ROCA: our test against that of those who found the flaw (``roca-detect``), on random and on flawed moduli."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice, product
from math import gcd, isqrt, prod

import pytest
from roca.detect import RocaFingerprinter

from keytrust.credential.roca import has_roca_fingerprint

PEER = RocaFingerprinter()
PRIMES = [n for n in range(2, 1500) if all(n % divisor for divisor in range(2, int(n**0.5) + 1))]
PRIMES_IN_M = {512: 39, 1024: 71, 2048: 126, 4096: 225}
"""How many of the first primes make up the flawed library's M, by the size of the key (section 2 of the paper)."""


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same numbers in every run


def flawed(numbers: random.Random, bits: int) -> int:
    """A modulus of the flawed library's form: both factors are k * M + (65537 ** a mod M)."""
    product = prod(PRIMES[: PRIMES_IN_M[bits]])
    spare = bits // 2 - product.bit_length()

    def factor() -> int:
        k = numbers.getrandbits(spare) | 1 << (spare - 1)
        return k * product + pow(65537, numbers.getrandbits(60), product)

    return factor() * factor()


def honest(numbers: random.Random, count: int) -> Iterator[int]:
    """Moduli of which nothing tells the test that they are none: products of two numbers without small factors.

    Half of all random numbers are divisible by 3 or 5, which already decides; no modulus of a key is.
    """
    small = prod(PRIMES)
    sides: list[int] = []
    while len(sides) < 2 * isqrt(count) + 2:
        candidate = numbers.getrandbits(1024) | 3 << 1022 | 1
        if gcd(candidate, small) == 1:
            sides.append(candidate)
    middle = len(sides) // 2
    yield from islice((left * right for left, right in product(sides[:middle], sides[middle:])), count)


def test_both_say_the_same_of_a_hundred_thousand_random_moduli() -> None:
    moduli = list(honest(seeded(2017), 100_000))
    assert len(set(moduli)) == 100_000
    assert [n for n in moduli if has_roca_fingerprint(n) != PEER.has_fingerprint_moduli(n)] == []


@pytest.mark.parametrize("bits", PRIMES_IN_M)
def test_both_find_every_key_of_the_flawed_form(bits: int) -> None:
    numbers = seeded(bits)
    for _ in range(100):
        n = flawed(numbers, bits)
        assert (has_roca_fingerprint(n), PEER.has_fingerprint_moduli(n), PEER.has_fingerprint_dlog(n)) == (True,) * 3


def test_a_modulus_that_misses_the_form_by_a_little_is_no_such_key_to_either() -> None:
    numbers = seeded(15361)
    for _ in range(200):
        n = flawed(numbers, 2048) + 2 * numbers.randrange(1, 1000)
        assert has_roca_fingerprint(n) == bool(PEER.has_fingerprint_dlog(n))
