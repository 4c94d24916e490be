from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from keytrust.errors import SigninError
from keytrust.signin import load_private_key

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_LOCKED = BestAvailableEncryption(b"p\xc3\xa4ss")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize(
    ("form", "encryption", "passphrase"),
    [
        (PrivateFormat.PKCS8, NoEncryption(), None),
        (PrivateFormat.TraditionalOpenSSL, NoEncryption(), None),
        (PrivateFormat.PKCS8, _LOCKED, "päss"),
    ],
)
def test_every_usual_form_is_read(
    tmp_path: Path,
    encoding: Encoding,
    form: PrivateFormat,
    encryption: KeySerializationEncryption,
    passphrase: str | None,
) -> None:
    path = tmp_path / "key"
    path.write_bytes(_KEY.private_bytes(encoding, form, encryption))
    assert load_private_key(path, passphrase).private_numbers() == _KEY.private_numbers()


def _pkcs8(encryption: KeySerializationEncryption) -> bytes:
    return _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    ("content", "passphrase", "says"),
    [
        (_pkcs8(_LOCKED), None, "is encrypted"),
        (_pkcs8(_LOCKED), "", "is encrypted"),
        (_pkcs8(_LOCKED), "wrong", "passphrase is wrong"),
        (_pkcs8(NoEncryption()), "needless", "is not encrypted"),
        (_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), None, "it is a public key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None, "it is a certificate"),
        (b"", None, "neither PEM nor DER"),
        (b"\0" * 70_000, None, "larger than 64 KiB"),
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            None,
            "not an RSA key",
        ),
    ],
)
def test_anything_else_is_called_what_it_is(tmp_path: Path, content: bytes, passphrase: str | None, says: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(SigninError, match=says) as caught:
        load_private_key(path, passphrase)
    assert str(path) in caught.value.message
    assert caught.value.remedy
    assert caught.value.not_done


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SigninError, match="cannot be read"):
            load_private_key(path)


@given(content=st.binary(max_size=300), pem=st.booleans())
def test_no_content_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes, pem: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\n" + content if pem else content)
    with pytest.raises(SigninError):
        load_private_key(path)
