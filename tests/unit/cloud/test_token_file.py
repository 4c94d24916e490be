"""Access tokens from a file that something else keeps fresh."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest

from keytrust.cloud.tokens import TokenFile
from keytrust.errors import CloudError

SECRET = "s" * 32


def token(expires: float) -> str:
    return jwt.encode({"exp": int(expires)}, SECRET, algorithm="HS256")


def test_the_token_is_read_again_shortly_before_it_expires(tmp_path: Path) -> None:
    now = 1_000_000.0
    path = tmp_path / "token"
    first, second = token(now + 3600), token(now + 7200)
    path.write_text(first + "\n")
    tokens = TokenFile(path, now=lambda: now)
    assert tokens.token() == first
    path.write_text(second)
    assert tokens.token() == first
    now += 3599
    assert tokens.token() == second


def test_renewing_reads_the_file_whatever_the_expiry(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("opaque-one")
    tokens = TokenFile(path)
    assert tokens.token() == "opaque-one"
    path.write_text("opaque-two")
    assert tokens.renew() == "opaque-two"
    assert tokens.token() == "opaque-two"


@pytest.mark.parametrize("content", [b"", b"two words", b"a\nb", b"\xff\xfe", b"x" * 100_000, b"caf\xc3\xa9", b'"a"'])
def test_a_file_without_a_token_is_an_error_that_does_not_show_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(CloudError) as caught:
        TokenFile(path).token()
    assert str(path) in caught.value.message
    assert "two words" not in f"{caught.value.message}{caught.value.detail}"


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="missing"):
        TokenFile(tmp_path / "missing").token()


@pytest.mark.parametrize("content", ["a.b.c", "a." + "W10" + ".c", "....", "a.eyJleHAiOiJzb29uIn0.c"])
def test_a_token_that_only_looks_like_a_json_web_token_is_used_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    assert TokenFile(path).token() == content


def test_the_token_is_not_in_the_repr(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("very-secret")
    tokens = TokenFile(path)
    tokens.token()
    assert "very-secret" not in repr(tokens)
