"""The attribute's text is kept exactly, since deleting one value needs the exact stored string."""

from __future__ import annotations

from typing import Any

import pytest
from credential_samples import CREATED, DEVICE, DN, MATERIAL, VECTORS

from keytrust.credential import (
    Dialect,
    DnWithBinary,
    KeyCredential,
    KeyCredentialError,
    KeyCredentialLink,
    attribute_text,
    build,
)

HEX = VECTORS["UserKey1"].hex()


@pytest.mark.parametrize(
    "dn",
    [
        DN,
        "CN=12:30\\, noon: lunch,DC=example,DC=com",
        "CN=Zoë Łukasz 日本 😀,DC=example,DC=com",
        "CN=a\\0ADEL:47f577e3-d2d0-4a0a-8aca-e0501098bde4,CN=Deleted Objects,DC=example,DC=com",
        "<GUID=47f577e3d2d04a0a8acae0501098bde4>;CN=x,DC=y",
        ":",
    ],
)
@pytest.mark.parametrize("digits", [HEX, HEX.upper(), HEX[:100].upper() + HEX[100:]])
def test_text_comes_back_exactly_as_it_was_read(dn: str, digits: str) -> None:
    text = f"B:{len(digits)}:{digits}:{dn}"
    for value in (text, text.encode()):
        link = KeyCredentialLink.parse(value)
        assert str(link) == link.text == text
        assert link.dn == dn
        assert link.binary == VECTORS["UserKey1"]
        assert link.credential == KeyCredential.from_bytes(VECTORS["UserKey1"])
        assert str(DnWithBinary.parse(value)) == text


@pytest.mark.parametrize(
    "value",
    [
        "",
        "B",
        "B:",
        "B:4:0002",
        "B:8:00020000",
        f"b:{len(HEX)}:{HEX}:{DN}",
        f"S:{len(HEX)}:{HEX}:{DN}",
        f" B:{len(HEX)}:{HEX}:{DN}",
        f"B:{len(HEX) - 1}:{HEX}:{DN}",
        f"B:{len(HEX) + 1}:{HEX}:{DN}",
        f"B:{len(HEX) // 2}:{HEX}:{DN}",
        f"B:-{len(HEX)}:{HEX}:{DN}",
        f"B:+{len(HEX)}:{HEX}:{DN}",
        f"B: {len(HEX)}:{HEX}:{DN}",
        f"B:8_28:{HEX}:{DN}",
        f"B:٨٢٨:{HEX}:{DN}",
        f"B:²:{HEX[:2]}:{DN}",
        f"B:{'9' * 5000}:{HEX}:{DN}",
        f"B::{HEX}:{DN}",
        f"B:7:0002000:{DN}",
        f"B:8:0002000g:{DN}",
        f"B:8:000200 0:{DN}",
        f"B:8:00 02 00:{DN}",
        f"B:8:0002000\u0660:{DN}",
        f"B:8:00020000\n:{DN}",
        "B:8:00020000:",
        "B:8:00020000:CN=\ud800",
        f"B:8:00020000:{'x' * 70000}",
        b"\xff\xfe",
        b"B:8:00020000:CN=\xff",
        b"B:8:00020000:CN=\xed\xa0\x80",
        b"\xef\xbb\xbfB:8:00020000:CN=x",
        ("B:8:00020000:CN=x").encode("utf-16"),
        None,
        17,
        bytearray(b"B:8:00020000:CN=x"),
    ],
)
def test_damaged_text_is_refused(value: Any) -> None:
    with pytest.raises(KeyCredentialError):
        DnWithBinary.parse(value)
    with pytest.raises(KeyCredentialError):
        KeyCredentialLink.parse(value)


def test_a_value_whose_binary_is_not_a_key_credential_is_still_text() -> None:
    text = "B:6:C0FFEE:" + DN
    with pytest.raises(KeyCredentialError):
        KeyCredentialLink.parse(text)
    kept = DnWithBinary.parse(text)
    assert (str(kept), kept.binary, kept.dn) == (text, b"\xc0\xff\xee", DN)


def test_a_value_of_megabytes_is_refused() -> None:
    huge = b"B:16000000:" + b"0" * 16_000_000 + b":CN=x"
    for value in (huge, huge.decode()):
        with pytest.raises(KeyCredentialError, match="too long"):
            KeyCredentialLink.parse(value)


def test_a_made_value_reads_as_the_same() -> None:
    credential = build(MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.ENTRA)
    link = KeyCredentialLink.of(credential, DN)
    assert str(link) == attribute_text(credential, DN)
    assert str(link) == f"B:{2 * len(credential.to_bytes())}:{credential.to_bytes().hex().upper()}:{DN}"
    assert KeyCredentialLink.parse(str(link)) == link


@pytest.mark.parametrize("dn", ["", "CN=\udcff", "x" * 70000])
def test_a_value_is_not_made_for_an_impossible_dn(dn: str) -> None:
    with pytest.raises(KeyCredentialError):
        attribute_text(KeyCredential.from_bytes(VECTORS["UserKey1"]), dn)
