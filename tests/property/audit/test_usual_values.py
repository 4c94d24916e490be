"""The quick way to inspect a value says of it what the thorough way says, or leaves the value to that."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.world import dn, material

from keytrust.audit.inspect import inspect, inspect_closely
from keytrust.audit.usual import inspect_usual
from keytrust.credential import KeyCredential, RsaPublicKey, parse_material, to_rsa1

OWNER = dn("alice")
FILETIME_2024, BINARY_2024 = 133_500_000_000_000_000, 638_400_000_000_000_000 | 1 << 62
ROCA = json.loads((Path(__file__).parents[2] / "data" / "audit" / "roca_detect.json").read_text())["keys"]
FLAWED = next(n for key in ROCA if key["weak"] and (n := int(key["n"], 16)).bit_length() == 2048)


def honest() -> int:
    public = parse_material(material(1)).public_key
    assert isinstance(public, RsaPublicKey)
    return public.n


def pkcs1(n: int, e: int) -> bytes:
    return bytes.fromhex("3082010a0282010100") + n.to_bytes(256, "big") + b"\2\3" + e.to_bytes(3, "big")


def rsa1(n: int, e: int) -> bytes:
    return to_rsa1(n, e)


def stored(
    key_material: bytes,
    *,
    usage: int = 1,
    source: int = 1,
    device: bytes | None = bytes(range(16)),
    information: bytes | None = bytes((1, *bytes(14))),
    logon: int | None = 0,
    created: int | None = None,
    false_id: bool = False,
    false_hash: bool = False,
    count: str = "%d",
    spell: Callable[[str], str] = str.upper,
    owner: str = OWNER,
) -> bytes:
    """A value with these entries and, unless told otherwise, right hashes."""
    created = (BINARY_2024 if source else FILETIME_2024) if created is None else created
    rest: list[tuple[int, bytes | None]] = [
        *((3, key_material), (4, bytes((usage,))), (5, bytes((source,))), (6, device), (7, information)),
        *((8, None if logon is None else logon.to_bytes(8, "little")), (9, created.to_bytes(8, "little"))),
    ]
    entries = [(identifier, data) for identifier, data in rest if data is not None]
    hashed = KeyCredential.from_entries(entries).to_bytes()[4:]
    key_id = bytes(32) if false_id else sha256(key_material).digest()
    key_hash = bytes(32) if false_hash else sha256(hashed).digest()
    binary = KeyCredential.from_entries([(1, key_id), (2, key_hash), *entries]).to_bytes()
    return f"B:{count % (2 * len(binary))}:{spell(binary.hex())}:{owner}".encode()


@pytest.mark.parametrize("source", [0, 1])
@pytest.mark.parametrize(
    ("encoded", "device", "information", "logon"),
    list(product([rsa1, pkcs1], [None, bytes(16), bytes(range(16))], [2, 15, 16], [None, 0, True])),
)
def test_usual_values_are_read_the_quick_way(
    encoded: Callable[[int, int], bytes], device: bytes | None, information: int, logon: int | None, source: int
) -> None:
    logon = logon and (BINARY_2024 if source else FILETIME_2024)
    told = bytes((1, *bytes(information - 1)))
    raw = stored(encoded(honest(), 65537), source=source, device=device, information=told, logon=logon)
    quick = inspect_usual(raw, OWNER, raw)
    assert quick == inspect_closely(raw, OWNER, raw) == inspect(raw, OWNER, keep_raw=True)
    assert quick is not None and quick.issues == ()


EDGES = [1_412_121_600, 4_102_444_800]
"""Seconds since 1970 between which times are not absurd."""
TIMES = [0, 1, FILETIME_2024, BINARY_2024, BINARY_2024 ^ 3 << 62, BINARY_2024 | 1 << 63, (1 << 64) - 1]
TIMES += [(at + 11_644_473_600) * 10_000_000 + off for at in EDGES for off in (-1, 0)]
TIMES += [(at + 62_135_596_800) * 10_000_000 + off | kind << 62 for at in EDGES for off in (-1, 0) for kind in range(4)]
DEVIATIONS: dict[str, list[object]] = {
    "modulus": [honest() // 3 * 3, honest() >> 1, honest() & ~1, FLAWED, ((1 << 1024) - 105) ** 2],
    "exponent": [3, 65535],
    "usage": [0, 2, 7, 99],
    "source": [2],
    "device": [None, bytes(16), bytes(15)],
    "information": [None, b"", b"\1", b"\2\0", bytes((2, *bytes(14))), bytes((0, *bytes(15)))],
    "logon": [None, *TIMES],
    "created": TIMES,
    "false_id": [True],
    "false_hash": [True],
    "count": ["0%d", "+%d", "1%d"],
    "spell": [str.lower, lambda text: text[:-1], lambda text: f" {text[1:]}", lambda text: text[:-2] + "\u0661\u0662"],
    "owner": [OWNER.upper(), OWNER.replace(",", " , "), dn("bob"), "", "CN=a:b", f"{OWNER}\udcff"],
}
"""What can be unusual about a value, and how."""


@st.composite
def deviating(draw: st.DrawFn) -> bytes:
    """A usual value but for one thing or two."""
    fields: dict[str, object] = {"source": draw(st.sampled_from([0, 1]))}
    fields["information"] = draw(st.sampled_from([b"\1\0", bytes((1, *bytes(14))), bytes((1, *bytes(15)))]))
    for name in draw(st.lists(st.sampled_from(sorted(DEVIATIONS)), max_size=2, unique=True)):
        fields[name] = draw(st.sampled_from(DEVIATIONS[name]))
    numbers = fields.pop("modulus", honest()), fields.pop("exponent", 65537)
    owner = str(fields.pop("owner", OWNER)).encode("utf-8", "surrogateescape")
    raw = stored(draw(st.sampled_from([rsa1, pkcs1]))(*numbers), owner="OWNER", **fields)  # type: ignore[arg-type]
    return raw.replace(b"OWNER", owner)


@settings(max_examples=1000)
@given(deviating())
def test_whatever_is_unusual_about_a_value_both_ways_say_the_same(raw: bytes) -> None:
    assert inspect_usual(raw, OWNER, b"") in (None, inspect_closely(raw, OWNER))


@given(st.data(), st.sampled_from([rsa1, pkcs1]), st.integers(1, 3))
def test_of_a_usual_value_with_some_bytes_changed_both_ways_say_the_same(
    data: st.DataObject, encoded: Callable[[int, int], bytes], changes: int
) -> None:
    raw = bytearray(stored(encoded(honest(), 65537)))
    for _ in range(changes):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b"0123456789abcdefABCDEF:,= \0\xff"))
    assert inspect_usual(bytes(raw), OWNER, b"") in (None, inspect_closely(bytes(raw), OWNER))


@example(b"B:4:0002:" + OWNER.encode())
@given(st.binary(max_size=300))
def test_what_is_no_value_is_left_to_the_thorough_way(raw: bytes) -> None:
    assert inspect_usual(raw, OWNER, b"") is None


def test_a_name_that_is_too_long_is_left_to_the_thorough_way() -> None:
    long = "CN=" + "a" * 70_000
    raw = stored(rsa1(honest(), 65537), owner=long)
    assert inspect_usual(raw, long, b"") is None
    assert not inspect_closely(raw, long).readable
