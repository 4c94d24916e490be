"""The registry values of a group policy, read from bytes that anybody may have written."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keytrust.deploy.reading.registry_pol import REG_DWORD, numbers

KEY = r"Software\Policies\Microsoft\PassportForWork"
HEADER = b"PReg\x01\x00\x00\x00"
# Written by Samba 4.24's `samba-tool gpo load`.
BY_SAMBA = bytes.fromhex(
    "50526567010000005b0053006f006600740077006100720065005c0050006f006c00690063006900650073005c004d0069006300"
    "72006f0073006f00660074005c00500061007300730070006f007200740046006f00720057006f0072006b0000003b0045006e00"
    "610062006c006500640000003b00040000003b00040000003b00010000005d00"
)


def entry(name: str, data: bytes, kind: int = REG_DWORD, key: str = KEY) -> bytes:
    def coded(text: str) -> bytes:
        return text.encode("utf-16-le")

    head = coded("[" + key + "\0;" + name + "\0;")
    return head + pack("<I", kind) + coded(";") + pack("<I", len(data)) + coded(";") + data + coded("]")


def test_what_sambas_tool_wrote_is_read() -> None:
    assert numbers(BY_SAMBA, KEY.upper()) == {"enabled": 1}


def test_numbers_of_the_key_are_read_and_the_last_one_counts() -> None:
    content = HEADER + entry("Enabled", pack("<I", 0)) + entry("ENABLED", pack("<I", 1))
    content += entry("Text", "1\0".encode("utf-16-le"), kind=1) + entry("Other", pack("<I", 7), key=KEY + r"\Deeper")
    content += entry("Gone", pack("<I", 1)) + entry("**del.Gone", " \0".encode("utf-16-le"), kind=1)
    content += entry("Semicolons", ";;;;".encode("utf-16-le")[:4])
    assert numbers(content, KEY) == {"enabled": 1, "semicolons": int.from_bytes(";;".encode("utf-16-le"), "little")}


@pytest.mark.parametrize("content", [b"", b"PReg", b"PReg\2\0\0\0", BY_SAMBA[:-1], BY_SAMBA[:-4], HEADER + b"[\0"])
def test_what_is_cut_short_or_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"it|there"):
        numbers(content, KEY)


@given(st.binary(max_size=300))
def test_nothing_else_ever_comes_of_any_bytes(noise: bytes) -> None:
    for content in (noise, HEADER + noise, BY_SAMBA + noise):
        try:
            numbers(content, KEY)
        except ValueError:
            continue
