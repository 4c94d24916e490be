"""Tickets: the real kinit against a KDC that says what real ones say too rarely to be waited for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import kdc

from keytrust.directory.kerberos import ticket_cache
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import ConfigError, DirectoryError


def settings(folder: Path, port: int, **fields: object) -> DirectorySettings:
    password = folder / "password"
    password.write_text("not-a-real-password\n")
    given = {
        "servers": ["dc1.fake.example"],
        "auth": "password",
        "principal": "svc@FAKE.EXAMPLE",
        "password_file": password,
        "krb5_config": kdc.config(port, folder / "krb5.conf"),
        "timeout": 20,
    } | fields
    return DirectorySettings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "message"),
    [(37, "clock"), (6, "does not know this account"), (18, "disabled, locked out"), (1, "expired"), (23, "expired")],
    ids=["skew", "unknown", "revoked", "account-expired", "password-expired"],
)
def test_each_refusal_names_its_cause_and_a_remedy(tmp_path: Path, code: int, message: str) -> None:
    with (
        kdc.answering(kdc.error(code)) as port,
        pytest.raises(DirectoryError, match=message) as caught,
        ticket_cache(settings(tmp_path, port)),
    ):
        pass
    assert caught.value.remedy
    assert "not-a-real-password" not in repr(vars(caught.value))


def test_no_kdc_is_named(tmp_path: Path) -> None:
    with kdc.answering(None) as port:
        gone = port
    with pytest.raises(DirectoryError, match="no domain controller"), ticket_cache(settings(tmp_path, gone)):
        pass


def test_a_kdc_that_never_answers_ends_in_an_error(tmp_path: Path) -> None:
    with (
        kdc.answering(None) as port,
        pytest.raises(DirectoryError, match="no domain controller answer"),
        ticket_cache(settings(tmp_path, port, timeout=1)),
    ):
        pass


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_password_file_is_a_mistake_in_the_configuration(tmp_path: Path, content: str) -> None:
    given = settings(tmp_path, 1)
    (tmp_path / "password").write_text(content)
    with pytest.raises(ConfigError, match="empty"), ticket_cache(given):
        pass


def test_an_expired_or_missing_ticket_cache_is_named(tmp_path: Path) -> None:
    given = settings(tmp_path, 1, auth="ccache", ccache=tmp_path / "cache")
    with pytest.raises(DirectoryError, match="no Kerberos ticket cache"), ticket_cache(given):
        pass
    (tmp_path / "cache").write_bytes(b"\x05\x04\x00\x00")
    with pytest.raises(DirectoryError, match="has expired"), ticket_cache(given):
        pass
