"""Where the entries of a key credential lie in its bytes.

Nearly all values in a directory have one of a few shapes, so those are recognised by a single ``struct`` comparison of
all entry headers at once. Everything else is walked entry by entry. Both ways give the same ``Layout``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from struct import Struct

from keytrust.credential.errors import KeyCredentialError

VERSION_0 = 0x000
"""Preview releases of Windows 10; values were padded to four bytes."""
VERSION_1 = 0x100
VERSION_2 = 0x200
"""The only version that [MS-ADTS] 2.2.20.2 still allows."""

MAX_CREDENTIAL_BYTES = 1 << 20
"""Larger values are refused. Fifteen entries of the greatest possible length still fit."""
MAX_ENTRIES = 4096
"""Values with more entries are refused. Nine are known, so only a hostile value comes near."""

_HEADER_BYTES = 3  # length (2 bytes, little-endian) and identifier


class Layout:
    """The version of a key credential and where its entries lie.

    Attributes:
        version: ``VERSION_0``, ``VERSION_1`` or ``VERSION_2``.
        spans: ``(identifier, start, end)`` of every entry's value, in stored order.
        identifiers: Of every entry, in stored order.
        first: Where the value of the first entry of each identifier lies.
    """

    __slots__ = ("first", "identifiers", "spans", "version")

    def __init__(self, version: int, spans: tuple[tuple[int, int, int], ...]) -> None:
        self.version = version
        self.spans = spans
        self.identifiers = tuple(identifier for identifier, _, _ in spans)
        self.first: dict[int, slice] = {}
        for identifier, start, end in spans:
            if identifier not in self.first:
                self.first[identifier] = slice(start, end)


def layout_of(data: bytes) -> Layout:
    """Find the entries of a key credential.

    Args:
        data: A KEYCREDENTIALLINK_BLOB ([MS-ADTS] 2.2.20.2).

    Raises:
        KeyCredentialError: the structure is broken (too short, too long, unknown version, an entry cut short).
    """
    for headers_of, headers, layout in _COMMON.get(len(data), ()):
        if headers_of(data) == headers:
            return layout
    return _walk(data)


def _walk(data: bytes) -> Layout:
    size = len(data)
    if size > MAX_CREDENTIAL_BYTES:
        raise KeyCredentialError(f"the key credential has {size} bytes; more than {MAX_CREDENTIAL_BYTES} are not read")
    if size < 4:
        raise KeyCredentialError(f"the key credential has {size} bytes, which is too short for its version number")
    version = int.from_bytes(data[:4], "little")
    if version not in (VERSION_0, VERSION_1, VERSION_2):
        raise KeyCredentialError(f"the key credential has the unknown version 0x{version:x}")
    spans: list[tuple[int, int, int]] = []
    position = 4
    while position < size:
        if len(spans) == MAX_ENTRIES:
            raise KeyCredentialError(f"the key credential has more than {MAX_ENTRIES} entries")
        start = position + _HEADER_BYTES
        if start > size:
            raise KeyCredentialError(f"the key credential has {size - position} stray bytes after its last entry")
        length = data[position] | data[position + 1] << 8
        end = start + length
        if end > size:
            raise KeyCredentialError(
                f"entry {data[position + 2]} of the key credential is cut short: {length} bytes are announced, "
                f"{size - start} are there"
            )
        spans.append((data[position + 2], start, end))
        position = end if version else end + -length % 4
    return Layout(version, tuple(spans))


_Shape = tuple[Callable[[bytes], tuple[bytes, ...]], tuple[bytes, ...], Layout]
"""What extracts the entry headers, what they must be, and the layout that they then mean."""


def layout_in_order(lengths: Mapping[int, int]) -> Layout:
    """The layout of a value of the current version with one entry of each identifier, in the mapping's order."""
    spans, position = [], 4
    for identifier, length in lengths.items():
        start = position + _HEADER_BYTES
        position = start + length
        spans.append((identifier, start, position))
    return Layout(VERSION_2, tuple(spans))


def entry_header(identifier: int, length: int) -> bytes:
    """The three bytes before an entry's value ([MS-ADTS] 2.2.20.3)."""
    return length.to_bytes(2, "little") + bytes((identifier,))


def _common_shapes() -> dict[int, list[_Shape]]:
    """Tabulate, by total length, the shapes that Entra Connect, Windows and the known tools write."""
    table: dict[int, list[_Shape]] = {}
    rsa1 = [27 + bits // 8 for bits in (2048, 3072, 4096)]
    material_lengths = [*rsa1, 270, 294]  # PKCS#1 and SubjectPublicKeyInfo of RSA-2048
    for material, device, information, logon in product(material_lengths, (16, None), (15, 2, 16, None), (8, None)):
        optional = {1: 32, 2: 32, 3: material, 4: 1, 5: 1, 6: device, 7: information, 8: logon, 9: 8}
        lengths = {identifier: length for identifier, length in optional.items() if length is not None}
        headers = [entry_header(identifier, length) for identifier, length in lengths.items()]
        unpack = Struct("4s" + "".join(f"3s{length}x" for length in lengths.values())).unpack
        size = 4 + sum(_HEADER_BYTES + length for length in lengths.values())
        shape = unpack, (VERSION_2.to_bytes(4, "little"), *headers), layout_in_order(lengths)
        table.setdefault(size, []).append(shape)
    return table


_COMMON = _common_shapes()
