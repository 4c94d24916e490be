"""Dangerous RSA keys are named, sound ones are not."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from random import Random

import pytest
from credential_samples import VECTORS
from cryptography.hazmat.primitives.asymmetric import rsa

from keytrust.credential import MAX_RSA_BITS, KeyCredential, RsaPublicKey, Weakness, parse_material, weaknesses

# The modulus of a real key of the flawed library, published with the ROCA detector of its discoverers (MIT licence).
INFINEON = int(
    "9dcd7420e420c270a68060eb8b5aa7457a9f6648f86fafed2775cc1f79ae962f1e63f1b9e51c55f9ea6fdc7332e9b0058c9ff2eb1fc89855"
    "029cf6aafe21e689feb38ac9ffb12f1ce371bb5d0e9aae64161abce74b4244bf68f1edb4411f756a097c8929c14740245ea355f8332d1aa3"
    "6bb50c7dcb4505da8de02e4e53d38f8df06097da7524df0df93db48eac8cc4af2d3a16257eb2b2adca6ba464e5974fa92550d31b1babf161"
    "e7692d00b86e3dd886ecab4abfbe1a8f8cc263ff4af55cdb45f4249a5193925f5e983d762f0b6800943eb0267b08f42ed311ce1f5c86eacb"
    "c8ce4d3cb7a2fee1ef5641423a1cf4114e5ecf50034a60a412523af9e6f4aa11",
    16,
)


def is_prime(n: int, random: Random) -> bool:
    """Miller and Rabin's test with 20 bases."""
    if any(n % small == 0 for small in (2, 3, 5, 7, 11, 13)):
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        value = pow(random.randrange(2, n - 1), odd, n)
        if value not in (1, n - 1) and not any((value := value * value % n) == n - 1 for _ in range(twos - 1)):
            return False
    return True


def first_primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def roca_primes(bits: int, primes_in_m: int, random: Random) -> Iterator[int]:
    """Primes as the flawed library makes them: k * M + (65537 ** a mod M)."""
    m = prod(first_primes(primes_in_m))
    while True:
        base = pow(65537, random.randrange(1 << 62), m)
        candidate = random.randrange((3 << bits - 2) // m, (1 << bits) // m) * m + base
        if is_prime(candidate, random):
            yield candidate


def ordinary_key() -> RsaPublicKey:
    return RsaPublicKey.from_cryptography(rsa.generate_private_key(65537, 2048).public_key())


@pytest.mark.parametrize(("bits", "primes_in_m"), [(512, 39), (1024, 71), (2048, 126)])
def test_keys_made_like_those_of_the_flawed_library_are_recognised(bits: int, primes_in_m: int) -> None:
    random = Random(bits)  # noqa: S311
    primes = roca_primes(bits // 2, primes_in_m, random)
    for _ in range(3):
        modulus = next(primes) * next(primes)
        expected = {Weakness.ROCA} | ({Weakness.SHORT} if modulus.bit_length() < 2048 else set())
        assert set(weaknesses(modulus, 65537)) == expected
        assert Weakness.ROCA not in weaknesses(modulus + 2, 65537)


def test_a_real_key_of_the_flawed_library_is_recognised() -> None:
    assert weaknesses(INFINEON, 65537) == (Weakness.ROCA,)
    assert Weakness.ROCA not in weaknesses(INFINEON ^ 1 << 1000, 65537)


def test_a_modulus_that_only_looks_right_modulo_every_single_prime_is_not_called_roca() -> None:
    # The quick test knows only subgroups modulo single primes; the discrete logarithm tells the whole group.
    random = Random(7)  # noqa: S311
    primes = first_primes(39)
    m = prod(primes)
    for _ in range(50):
        residue = 0
        for prime in primes:
            rest = m // prime
            residue += pow(65537, random.randrange(prime), prime) * rest * pow(rest, -1, prime)
        modulus = residue % m + m * random.getrandbits(1900)
        assert Weakness.ROCA not in weaknesses(modulus, 65537)


def test_sound_keys_have_no_weakness() -> None:
    for _ in range(3):
        key = ordinary_key()
        assert weaknesses(key.n, key.e) == ()
    for name in ("UserKey1", "NonMFAKey", "DeviceKey_TPM", "ComputerKey"):
        material = KeyCredential.from_bytes(VECTORS[name]).key_material
        assert material is not None
        public_key = parse_material(material).public_key
        assert isinstance(public_key, RsaPublicKey)
        assert weaknesses(public_key.n, public_key.e) == ()


def test_short_keys() -> None:
    key = ordinary_key()
    assert weaknesses(key.n >> 1 | 1, 65537)[0] is Weakness.SHORT
    assert Weakness.SHORT not in weaknesses(key.n, 65537)


@pytest.mark.parametrize(
    ("exponent", "bad"),
    [
        (1, True),
        (3, True),
        (65535, True),
        (65536, True),
        (65537, False),
        (65538, True),
        (65539, False),
        ((1 << 256) - 1, False),
        (1 << 256, True),
        ((1 << 256) + 1, True),
    ],
)
def test_exponents(exponent: int, bad: bool) -> None:
    assert (Weakness.BAD_EXPONENT in weaknesses(INFINEON, exponent)) is bad


def test_moduli_that_are_not_two_large_primes() -> None:
    key = ordinary_key()
    assert weaknesses(key.n * 2, 65537) == (Weakness.EVEN_MODULUS,)
    for factor in (3, 101, 997):
        assert weaknesses(key.n * factor, 65537) == (Weakness.SMALL_FACTOR,)
    assert weaknesses(key.n * 6, 65537) == (Weakness.EVEN_MODULUS, Weakness.SMALL_FACTOR)
    assert weaknesses(key.n**2, 65537) == (Weakness.SQUARE_MODULUS,)


def test_absurd_numbers_are_named_without_further_work() -> None:
    for n in (0, -1, 1 << MAX_RSA_BITS, 1 << 8_000_000):
        assert weaknesses(n, 65537) == (Weakness.ABSURD_SIZE,)
    assert weaknesses(INFINEON, 0) == (Weakness.ABSURD_SIZE,)
    assert Weakness.ABSURD_SIZE not in weaknesses((1 << MAX_RSA_BITS) - 1, 65537)
