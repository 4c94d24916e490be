"""How many key credentials one core reads, verifies and builds in a second.

Every value of a round is different, every call is a whole one, and both hashes of every value are really computed. The
figure is the median of the rounds. The peer is PyPI ``dsinternals``, in the same process on the same values in turns
with ours; it verifies nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import shake_256
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

from dsinternals.common.data.DNWithBinary import DNWithBinary
from dsinternals.common.data.hello.KeyCredential import KeyCredential as PeerCredential

from bench.result import BenchResult
from keytrust.credential import Dialect, KeyCredential, KeyCredentialLink, KeySource, attribute_text, build, to_rsa1

VALUES = 20_000
PEER_VALUES = 4_000
ROUNDS = 7
TARGET_RATE = 200_000.0
TARGET_RATIO = 8.0  # the target rate against the 24,000 a second that the peer was first measured at

_START = datetime(2024, 1, 1, tzinfo=UTC)


def run() -> list[BenchResult]:
    """Measure reading from bytes and from attribute text, building, and the peer."""
    materials = [_material(number) for number in range(VALUES)]
    devices = [UUID(bytes=shake_256(b"device %d" % number).digest(16)) for number in range(VALUES)]
    times = [_START + timedelta(seconds=61 * number, microseconds=number) for number in range(VALUES)]

    def build_all() -> list[KeyCredential]:
        return [
            build(material, device_id=device, created=created, dialect=Dialect.ENTRA)
            for material, device, created in zip(materials, devices, times, strict=True)
        ]

    build_rate = median(_rate(VALUES, build_all) for _ in range(ROUNDS))
    built = build_all()
    blobs = [credential.to_bytes() for credential in built]
    texts = [
        attribute_text(credential, f"CN=User {n},OU=Staff,DC=example,DC=com") for n, credential in enumerate(built)
    ]
    parse_rate = median(_rate(VALUES, lambda: _parse(blobs)) for _ in range(ROUNDS))
    text_rate = median(_rate(VALUES, lambda: _parse_text(texts)) for _ in range(ROUNDS))
    ours, theirs = _in_turns(materials[:PEER_VALUES], devices, times)
    return [
        BenchResult.at_least("codec.parse", parse_rate, "values/s", TARGET_RATE),
        BenchResult("codec.parse_text", text_rate, "values/s"),
        BenchResult.at_least("codec.build", build_rate, "values/s", TARGET_RATE),
        BenchResult("codec.parse_dsinternals", theirs, "values/s"),
        BenchResult.at_least("codec.parse_ratio_to_dsinternals", ours / theirs, "times", TARGET_RATIO),
    ]


def _material(number: int) -> bytes:
    modulus = int.from_bytes(shake_256(b"modulus %d" % number).digest(256), "big") | 1 << 2047 | 1
    return to_rsa1(modulus, 65537)


def _rate(count: int, work: Callable[[], Any]) -> float:
    start = perf_counter()
    work()
    return count / (perf_counter() - start)


def _parse(blobs: Sequence[bytes]) -> None:
    from_bytes = KeyCredential.from_bytes
    intact = [from_bytes(blob).is_intact() for blob in blobs]
    _expect_all(intact)


def _parse_text(texts: Sequence[str]) -> None:
    parse = KeyCredentialLink.parse
    intact = [parse(text).credential.is_intact() for text in texts]
    _expect_all(intact)


def _expect_all(intact: Sequence[bool]) -> None:
    if not all(intact):
        raise RuntimeError("a value that was just built does not verify: the figure would be of something else")


def _in_turns(materials: Sequence[bytes], devices: Sequence[UUID], times: Sequence[datetime]) -> tuple[float, float]:
    """The rates of both on the same values, which are of source AD because the peer misreads the other times."""
    blobs = [
        build(
            material, device_id=device, created=time, dialect=Dialect.PORTABLE, source=KeySource.AD, last_logon=time
        ).to_bytes()
        for material, device, time in zip(materials, devices, times, strict=False)
    ]
    dn = "CN=User,OU=Staff,DC=example,DC=com"

    def peer() -> None:
        for blob in blobs:
            PeerCredential.fromDNWithBinary(DNWithBinary(dn, blob))

    rounds = [(_rate(len(blobs), lambda: _parse(blobs)), _rate(len(blobs), peer)) for _ in range(ROUNDS)]
    return median(ours for ours, _ in rounds), median(theirs for _, theirs in rounds)
