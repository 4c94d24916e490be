"""Signing keys are private, survive a restart, and are replaced in good time."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest

from keytrust.errors import RegistryError
from keytrust.registry.signing_keys import GRACE, LIFE, SigningKeys


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def kid(keys: SigningKeys) -> str:
    return str(jwt.get_unverified_header(keys.sign({"a": "b"}))["kid"])


def published(keys: SigningKeys) -> list[str]:
    entries = keys.key_set()["keys"]
    assert isinstance(entries, list)
    assert all(set(entry) == {"kty", "n", "e", "kid", "alg", "use"} for entry in entries)
    return [entry["kid"] for entry in entries]


def test_the_key_is_the_same_after_a_restart_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    first = SigningKeys(directory)
    assert kid(SigningKeys(directory)) == kid(first)
    (file,) = directory.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_key_is_replaced_when_its_time_is_over_and_accepted_for_the_grace(tmp_path: Path) -> None:
    clock = Clock()
    keys = SigningKeys(tmp_path, now=clock)
    old = kid(keys)
    clock.now += LIFE - 1
    assert kid(keys) == old
    clock.now += 1
    new = kid(keys)
    assert new != old
    assert published(keys) == [new, old]
    clock.now += GRACE - 1
    assert keys.find(old) is not None
    clock.now += 2
    assert keys.find(old) is None
    assert published(keys) == [new]
    keys.rotate()
    assert not list(tmp_path.glob(f"*{old}*"))


def test_every_rotation_signs_with_its_own_key_even_in_one_moment(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path, now=Clock())
    for _ in range(3):
        assert keys.rotate() == kid(keys)
    assert len(published(keys)) == 4
    assert kid(SigningKeys(tmp_path, now=Clock())) == kid(keys)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_an_error_that_names_the_directory(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"1-{'A' * 43}.pem").write_bytes(content)
    with pytest.raises(RegistryError, match=str(tmp_path)):
        SigningKeys(tmp_path)


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError):
        SigningKeys(tmp_path / "file" / "keys")
