"""``keytrust decode``: every written form of a value, and no form of nonsense that it does not survive."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.site import keytrust
from tests.support.world import dn, key, value

from keytrust.cli.decode import parse
from keytrust.credential import KeyCredentialError, KeyCredentialLink

TEXT = value("alice", 1).decode()
LINK = KeyCredentialLink.parse(TEXT)
VECTORS = json.loads((Path(__file__).parents[2] / "data" / "key_credentials.json").read_text())["vectors"]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        LINK.binary.hex(),
        LINK.binary.hex().upper(),
        base64.b64encode(LINK.binary).decode(),
        f"msDS-KeyCredentialLink: {TEXT}",
        f"msDS-KeyCredentialLink:: {base64.b64encode(TEXT.encode()).decode()}",
    ],
    ids=["attribute", "hex", "upper-hex", "base64", "ldif", "ldif-base64"],
)
def test_every_written_form_is_understood(text: str) -> None:
    credential, _ = parse(text)
    assert credential == LINK.credential


@given(st.text(max_size=200))
def test_any_text_is_a_value_or_one_error(text: str) -> None:
    try:
        parse(text)
    except KeyCredentialError as error:
        assert str(error)


def test_the_command_explains_a_value() -> None:
    done = keytrust("decode", TEXT)
    assert done.returncode == 0, done.stderr
    for part in (key(1).key_id.hex(), "RSA-2048", "NGC", "Azure AD", dn("alice"), "Intact"):
        assert part in done.stdout


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_published_values_are_explained_as_json(name: str) -> None:
    done = keytrust("decode", VECTORS[name], "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert bytes.fromhex(told["keyId"])
    assert [entry["id"] for entry in told["entries"]]


def test_many_values_come_from_standard_input_and_a_bad_line_is_named() -> None:
    done = keytrust("decode", "-", stdin=f"{TEXT}\n\nnonsense\n{LINK.binary.hex()}\n")
    assert done.returncode == 1
    assert done.stdout.count("Intact") == 2
    assert "Line 2:" in done.stderr
    assert "Traceback" not in done.stderr


def test_problems_are_shown_and_are_not_an_error() -> None:
    damaged = bytearray(LINK.binary)
    damaged[-1] ^= 1
    done = keytrust("decode", damaged.hex())
    assert done.returncode == 0
    assert "key-hash-mismatch" in done.stdout
    assert "Intact" not in done.stdout


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_text_from_windows_is_read_whatever_its_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "values.txt"
    file.write_bytes(f"{TEXT}\r\n".encode(encoding))
    with file.open("rb") as values:
        done = subprocess.run(
            [sys.executable, "-m", "keytrust", "decode", "-"],
            stdin=values,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
