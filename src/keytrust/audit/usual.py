"""The quick way to inspect a value: for the few forms that nearly all values of a directory have.

An RSA-2048 key with the exponent 65537 for Windows Hello, as Entra Connect, Windows and computers write it, with every
entry in its place, both hashes right, plausible times and nothing dangerous about the key: of such a value there is
nothing to say by itself, and all of it can be read at once. Anything else is left to ``inspect_closely``, which has to
say the same of these values too; a property test holds the two together.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable
from hashlib import sha256
from itertools import product
from struct import Struct
from typing import Any, NamedTuple

from keytrust.audit.dn import same_object
from keytrust.audit.model import InspectedValue
from keytrust.credential import MaterialKind, weaknesses
from keytrust.credential.layout import VERSION_2, entry_header
from keytrust.credential.link import MAX_DN_CHARACTERS
from keytrust.credential.times import FILETIME_EPOCH

_BITS, _EXPONENT = 2048, 65537
_RSA1_HEAD = Struct("<4s5I3s").pack(b"RSA1", _BITS, 3, _BITS // 8, 0, 0, b"\1\0\1")
_PKCS1_HEAD, _PKCS1_TAIL = bytes.fromhex("3082010a0282010100"), bytes.fromhex("0203010001")
_NGC, _AD, _CLOUD = 1, 0, 1
_TICKS_MASK = (1 << 62) - 1  # of a .NET DateTime.ToBinary, the rest being its kind
_HASHED = 4 + 3 + 32 + 3 + 32  # version, KeyID, KeyHash: what follows is what KeyHash is the hash of
_MATERIAL = _HASHED + 3
_NO_DEVICE = bytes(16)
_RSA1 = MaterialKind.RSA1.value

TICKS_1970 = 621_355_968_000_000_000
"""1970 in units of 100 ns since year 1."""
EARLIEST, LATEST = 1_412_121_600, 4_102_444_800
"""Times that are not absurd: from October 2014, when Windows 10 was first shown, to 2100."""


class _Shape(NamedTuple):
    """A form of value.

    Attributes:
        digits: Its hex digits, as the value announces them.
        unpack: Splits it into fixed and variable parts, in turns.
        fixed: What the fixed parts are.
        kind: Of its key material.
        material_end: Where its key material ends.
        device: Whether it names a device.
        logon: Whether it has the time of the last logon.
        entries: Identifiers of its entries.
    """

    digits: bytes
    unpack: Callable[[bytes], tuple[Any, ...]]
    fixed: tuple[bytes, ...]
    kind: str
    material_end: int
    device: bool
    logon: bool
    entries: tuple[int, ...]


def _shape(kind: MaterialKind, *, device: bool, information: int, logon: bool) -> _Shape:
    head, tail = (_RSA1_HEAD, b"") if kind is MaterialKind.RSA1 else (_PKCS1_HEAD, _PKCS1_TAIL)
    material = len(head) + _BITS // 8 + len(tail)
    lengths = {1: 32, 2: 32, 3: material, 4: 1, 5: 1, 6: 16, 7: information, 8: 8, 9: 8}
    left_out = {*(() if device else (6,)), *(() if logon else (8,))}
    lengths = {identifier: length for identifier, length in lengths.items() if identifier not in left_out}
    before = {identifier: entry_header(identifier, length) for identifier, length in lengths.items()}
    before[1] = VERSION_2.to_bytes(4, "little") + before[1]
    before[3] += head
    before[4] = tail + before[4]
    codes = {4: "B", 5: "B", 8: "Q", 9: "Q", 3: f"{_BITS // 8}s"}
    layout = "".join(f"{len(fixed)}s{codes.get(at, f'{lengths[at]}s')}" for at, fixed in before.items())
    struct = Struct(f"<{layout}")
    return _Shape(
        digits=b"%d" % (2 * struct.size),
        unpack=struct.unpack,
        fixed=tuple(before.values()),
        kind=kind.value,
        material_end=_MATERIAL + material,
        device=device,
        logon=logon,
        entries=tuple(lengths),
    )


def _shapes() -> dict[int, list[_Shape]]:
    table: dict[int, list[_Shape]] = {}
    for kind, device, information, logon in product(
        (MaterialKind.RSA1, MaterialKind.PKCS1), (True, False), (15, 2, 16), (True, False)
    ):
        shape = _shape(kind, device=device, information=information, logon=logon)
        table.setdefault(int(shape.digits) // 2, []).append(shape)
    return table


_SHAPES = _shapes()


def inspect_usual(raw: bytes, dn: str, kept: bytes) -> InspectedValue | None:
    """What ``inspect_closely`` says of a value of a usual form with nothing wrong about it; None for any other.

    Args:
        raw: The attribute value's bytes.
        dn: The object that holds it.
        kept: What the result shall carry as its bytes.
    """
    try:
        mark, digits, text, named = raw.split(b":", 3)
        data = unhexlify(text)
        owner = named.decode("utf-8")
    except ValueError:
        return None
    if mark != b"B" or not 0 < len(named) <= MAX_DN_CHARACTERS or not same_object(owner, dn):
        return None
    for shape in _SHAPES.get(len(data), ()):
        parts = shape.unpack(data)
        if parts[::2] == shape.fixed:
            return _sound(data, shape, parts, kept) if digits == shape.digits else None
    return None


def _sound(data: bytes, shape: _Shape, parts: tuple[Any, ...], kept: bytes) -> InspectedValue | None:
    """The value, if nothing is wrong about it."""
    source, created, information = parts[9], parts[-1], parts[13 if shape.device else 11]
    logon = parts[-3] if shape.logon else 0
    if parts[7] != _NGC or source not in (_AD, _CLOUD) or information[0] != 1:
        return None
    made, used = _seconds(created, source), _seconds(logon, source) if logon else None
    if not EARLIEST <= made < LATEST or not (used is None or EARLIEST <= used < LATEST):
        return None
    material = data[_MATERIAL : shape.material_end]
    key_id = sha256(material).digest()
    if key_id != parts[1] or sha256(data[_HASHED:]).digest() != parts[3]:
        return None
    modulus = int.from_bytes(parts[5], "big")
    if weaknesses(modulus, _EXPONENT):
        return None
    device = parts[11] if shape.device else _NO_DEVICE
    return InspectedValue(
        kept,
        sha256(data).digest(),
        key_id,
        key_id,
        key_id if shape.kind is _RSA1 else sha256(_RSA1_HEAD + parts[5]).digest(),
        _NGC,
        source,
        "" if device == _NO_DEVICE else _guid(device),
        made,
        used,
        information,
        shape.kind,
        _BITS,
        shape.entries,
        (),
    )


def _seconds(time: int, source: int) -> int:
    """Seconds since 1970 of a time as this source writes it."""
    return ((time + FILETIME_EPOCH if source == _AD else time & _TICKS_MASK) - TICKS_1970) // 10_000_000


def _guid(data: bytes) -> str:
    """As ``str(UUID(bytes_le=data))``, in a third of the time."""
    text = data.hex()
    return (
        f"{text[6:8]}{text[4:6]}{text[2:4]}{text[:2]}-{text[10:12]}{text[8:10]}-{text[14:16]}{text[12:14]}"
        f"-{text[16:20]}-{text[20:]}"
    )
