"""Refusals and faults as MIT's real kinit reports them, against KDCs that say what real ones say rarely."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.support import kdc

from keytrust.errors import SigninError
from keytrust.lab import certificates
from keytrust.signin import Refusal, sign_in
from keytrust.signin.refusal import diagnose

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(certificates.make("FAKE.EXAMPLE", "dc1.fake.example")[0].certificate)
    return path


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (6, Refusal.UNKNOWN_PRINCIPAL),
        (12, Refusal.POLICY),
        (16, Refusal.PKINIT_NOT_OFFERED),
        (18, Refusal.CLIENT_REVOKED),
        (23, Refusal.PASSWORD_EXPIRED),
        (24, Refusal.PREAUTH_FAILED),
        (31, Refusal.PKINIT_NOT_OFFERED),
        (37, Refusal.CLOCK_SKEW),
        (60, Refusal.OTHER),
        (62, Refusal.CLIENT_NOT_TRUSTED),
        (66, Refusal.CLIENT_NAME_MISMATCH),
        (75, Refusal.CLIENT_NAME_MISMATCH),
    ],
)
def test_each_answer_of_a_kdc_has_its_cause(tmp_path: Path, ca: Path, code: int, refusal: Refusal) -> None:
    with kdc.answering(kdc.error(code)) as port:
        result = sign_in("alice@FAKE.EXAMPLE", _KEY, kdc_ca=ca, krb5_config=kdc.config(port, tmp_path / "krb5.conf"))
    assert (result.ok, result.refusal) == (False, refusal)
    assert result.detail.startswith("kinit: ")


def test_a_kdc_that_wants_a_password_gets_none(tmp_path: Path, ca: Path) -> None:
    answer = kdc.error(25, data=kdc.method_data(2, 19))  # encrypted timestamp, and how to derive its key
    with kdc.answering(answer) as port:
        result = sign_in("alice@FAKE.EXAMPLE", _KEY, kdc_ca=ca, krb5_config=kdc.config(port, tmp_path / "krb5.conf"))
    assert result.refusal is Refusal.PKINIT_NOT_OFFERED


def test_a_kdc_that_never_answers_is_waited_for_so_long_and_no_longer(tmp_path: Path, ca: Path) -> None:
    with kdc.answering(None) as port:
        result = sign_in(
            "alice@FAKE.EXAMPLE", _KEY, kdc_ca=ca, krb5_config=kdc.config(port, tmp_path / "krb5.conf"), timeout=0.5
        )
    assert result.refusal is Refusal.KDC_UNREACHABLE
    assert "0.5 s" in result.detail


def test_a_kdc_that_talks_nonsense_is_a_refusal(tmp_path: Path, ca: Path) -> None:
    with kdc.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        result = sign_in(
            "alice@FAKE.EXAMPLE",
            _KEY,
            kdc_ca=ca,
            krb5_config=kdc.config(port, tmp_path / "krb5.conf"),
            timeout=2,
        )
    assert not result.ok
    assert result.refusal is not None


@pytest.mark.parametrize(
    "name",
    ["", "@CORP", "a@", "a@b@c", "a\nb@CORP", "a\0", "a\\b@CORP", "x" * 257, "a@corp/x", "a@corp example"],
)
def test_impossible_names_never_reach_kinit(tmp_path: Path, ca: Path, name: str) -> None:
    with pytest.raises(SigninError, match="neither"):
        sign_in(name, _KEY, kdc_ca=ca, krb5_config=tmp_path / "krb5.conf")


def test_a_name_that_looks_like_an_option_is_a_name(tmp_path: Path, ca: Path) -> None:
    with kdc.answering(kdc.error(6)) as port:
        result = sign_in("-V@FAKE.EXAMPLE", _KEY, kdc_ca=ca, krb5_config=kdc.config(port, tmp_path / "krb5.conf"))
    assert result.refusal is Refusal.UNKNOWN_PRINCIPAL


@pytest.mark.parametrize("text", ["[libdefaults\n", "[libdefaults]\n"])
def test_a_bad_configuration_is_no_refusal(tmp_path: Path, ca: Path, text: str) -> None:
    config = tmp_path / "krb5.conf"
    config.write_text(text)
    with pytest.raises(SigninError, match="before it asked") as caught:
        sign_in("alice@fake.example", _KEY, kdc_ca=ca, krb5_config=config)
    assert "onfiguration file" in caught.value.detail


def test_missing_files_are_named(tmp_path: Path, ca: Path) -> None:
    with pytest.raises(SigninError, match=r"krb5\.conf cannot be read"):
        sign_in("a@FAKE.EXAMPLE", _KEY, kdc_ca=ca, krb5_config=tmp_path / "krb5.conf")
    with pytest.raises(SigninError, match=r"none\.pem .* cannot be read"):
        sign_in("a@FAKE.EXAMPLE", _KEY, kdc_ca=tmp_path / "none.pem", krb5_config=tmp_path / "krb5.conf")
    ca.write_text("no certificate")
    with pytest.raises(SigninError, match="no PEM certificate"):
        sign_in("a@FAKE.EXAMPLE", _KEY, kdc_ca=ca, krb5_config=tmp_path / "krb5.conf")


def test_a_machine_without_kinit_is_told_what_to_install(
    tmp_path: Path, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SigninError, match="not installed") as caught:
        sign_in("a@FAKE.EXAMPLE", _KEY, kdc_ca=ca, krb5_config=kdc.config(1, tmp_path / "krb5.conf"))
    assert "krb5-user" in caught.value.remedy


def test_keys_lie_in_a_private_place_and_nothing_is_left(
    tmp_path: Path, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, programs = tmp_path / "scratch", tmp_path / "programs"
    scratch.mkdir()
    programs.mkdir()
    seen = tmp_path / "seen"
    spy = programs / "kinit"
    # Stands in for kinit: notes what a stranger could see, and fails.
    spy.write_text(
        f'#!/bin/sh\nd=$(dirname "$KRB5_CONFIG"); stat -c "%a %n" "$d" "$d"/* > {seen}\n'
        f'tr "\\0" " " < /proc/$$/cmdline >> {seen}; (read x </dev/tty) 2>/dev/null && echo terminal >> {seen}\n'
        "exit 1\n"
    )
    spy.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    with pytest.raises(SigninError):
        sign_in("a@FAKE.EXAMPLE", _KEY, kdc_ca=ca, krb5_config=kdc.config(1, tmp_path / "krb5.conf"))
    lines = seen.read_text().splitlines()
    assert lines[0].startswith("700 ")
    assert any(line.startswith("600 ") and line.endswith("/user.key") for line in lines)
    assert all(line.startswith("600 ") for line in lines[1:-1])
    assert "terminal" not in lines
    assert "PRIVATE" not in lines[-1]
    assert list(scratch.iterdir()) == []


def test_every_refusal_says_what_it_means_and_what_to_do() -> None:
    for refusal in Refusal:
        assert refusal.cause.endswith(".")
        assert refusal.remedy.endswith(".")
    assert len({refusal.cause for refusal in Refusal}) == len(Refusal)


@given(st.text(), st.text())
def test_whatever_kinit_says_there_is_a_diagnosis(said: str, trace: str) -> None:
    assert diagnose(said, trace) in Refusal


@given(st.integers())
def test_whatever_number_a_kdc_sends_there_is_a_diagnosis(code: int) -> None:
    assert diagnose("", f"[1] 2.3: Received error from KDC: {code}/Odd") in Refusal
