"""Sets of millions of names in eight bytes each. Pure."""

from __future__ import annotations

import secrets
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

_SHIFT, _HALF = 56, 128
_SIGN = 1 << 63
_PRIME = (1 << 127) - 1


def hash64(name: bytes) -> int:
    """A name as a number. Two names of one number are taken for one: in a million, once in 40 million times."""
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") - _SIGN


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Digests of 16 bytes as numbers of 64 bits, by a rule that is drawn anew for each read and kept from everybody.

    Whoever can write to an account can try contents until their digest begins as that of one of a million others, and
    the account would be taken for unchanged. Not knowing the rule they cannot: any two digests have one number with a
    chance of 1 in 2**64 (universal hashing, Carter and Wegman 1979).
    """

    factor: int
    offset: int

    @classmethod
    def drawn(cls) -> Fingerprints:
        """A new rule."""
        return cls(1 + secrets.randbelow(_PRIME - 1), secrets.randbelow(_PRIME))

    def of(self, digest: bytes) -> int:
        """A digest's number."""
        return ((self.factor * int.from_bytes(digest, "big") + self.offset) % _PRIME >> 63) - _SIGN


class Hashes:
    """Numbers of 64 bits: first added, then frozen and looked up. Sorted in parts, so that sorting needs no memory."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(2 * _HALF)]

    def add(self, number: int) -> None:
        """Add a number, before ``freeze``."""
        self._parts[(number >> _SHIFT) + _HALF].append(number)

    def add_all(self, packed: bytes) -> None:
        """Add numbers as ``array("q").tobytes`` gives them."""
        numbers, parts = array("q"), self._parts
        numbers.frombytes(packed)
        for number in numbers:
            parts[(number >> _SHIFT) + _HALF].append(number)

    def freeze(self) -> None:
        """Make it fit for looking up, and forget repetitions."""
        self._parts = [array("q", sorted(set(part))) for part in self._parts]

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __contains__(self, number: int) -> bool:
        part = self._parts[(number >> _SHIFT) + _HALF]
        at = bisect_left(part, number)
        return at < len(part) and part[at] == number

    def tobytes(self) -> bytes:
        """All numbers, for another process."""
        return b"".join(part.tobytes() for part in self._parts)

    @classmethod
    def frozen(cls, numbers: Iterable[int]) -> Hashes:
        """A set of these numbers."""
        made = cls()
        for number in numbers:
            made.add(number)
        made.freeze()
        return made
