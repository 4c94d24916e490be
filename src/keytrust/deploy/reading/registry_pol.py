"""Registry.pol, the file in which a group policy keeps its registry values ([MS-GPREG] 2.2.1). Pure."""

from __future__ import annotations

from collections.abc import Iterator

_HEADER = b"PReg\x01\x00\x00\x00"
REG_DWORD = 4
_DELETED = "**del."


def numbers(content: bytes, key: str) -> dict[str, int]:
    """The REG_DWORD values below a registry key, by value name in lower case; the last one said counts.

    Args:
        content: The file.
        key: The key, without its hive; letter case does not matter.

    Raises:
        ValueError: the file is not in this format.
    """
    found: dict[str, int] = {}
    for where, called, kind, data in entries(content):
        if where.lower() != key.lower():
            continue
        name = called.lower()
        if name.startswith(_DELETED):
            found.pop(name.removeprefix(_DELETED), None)
        elif kind == REG_DWORD and len(data) == 4:
            found[name] = int.from_bytes(data, "little")
    return found


def entries(content: bytes) -> Iterator[tuple[str, str, int, bytes]]:
    """Every entry: key, value name, type and data.

    Raises:
        ValueError: the file is not in this format.
    """
    if content[: len(_HEADER)] != _HEADER:
        raise ValueError("it does not begin as a Registry.pol of version 1")
    at = len(_HEADER)
    while at < len(content):
        at = _expect(content, at, "[")
        key, at = _text(content, at)
        name, at = _text(content, at)
        kind, at = _number(content, at)
        size, at = _number(content, at)
        data = content[at : at + size]
        if len(data) != size:
            raise ValueError("it ends in the middle of a value")
        at = _expect(content, at + size, "]")
        yield key, name, kind, data


def _expect(content: bytes, at: int, sign: str) -> int:
    if content[at : at + 2] != sign.encode("utf-16-le"):
        raise ValueError(f"there is no {sign} at byte {at}")
    return at + 2


def _text(content: bytes, at: int) -> tuple[str, int]:
    end = at
    while (letter := content[end : end + 2]) != b"\0\0":
        if len(letter) < 2:
            raise ValueError("it ends in the middle of a name")
        end += 2
    return content[at:end].decode("utf-16-le", "replace"), _expect(content, end + 2, ";")


def _number(content: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(content[at : at + 4], "little"), _expect(content, at + 4, ";")
