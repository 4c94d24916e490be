"""TLS is verified whatever other code does to Python's defaults."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from tests.support.tls import make_tls

from keytrust.cloud.tls import tls_context
from keytrust.errors import ConfigError


def test_certificates_and_names_are_verified_even_when_the_default_context_was_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda *_, **__: ssl._create_unverified_context())  # noqa: S323
    context = tls_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_it_is_made_anew_only_when_the_file_of_authorities_is_another(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = (make_tls(folder).ca for folder in (tmp_path / "first", tmp_path / "second"))
    file = tmp_path / "ca.pem"
    file.write_bytes(first.read_bytes())
    context = tls_context(file)
    assert tls_context(file) is context
    expected = ssl.PEM_cert_to_DER_cert(second.read_text())
    second.replace(file)
    renewed = tls_context(file)
    assert renewed is not context
    assert renewed.get_ca_certs(binary_form=True) == [expected]
    file.write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match=r"ca\.pem cannot be used"):
        tls_context(file)
    file.unlink()
    with pytest.raises(ConfigError, match=r"ca\.pem cannot be used"):
        tls_context(file)
