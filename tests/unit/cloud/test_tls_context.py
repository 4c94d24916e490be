"""TLS is verified whatever other code does to Python's defaults."""

from __future__ import annotations

import ssl

import pytest

from keytrust.cloud.transport import tls_context


def test_certificates_and_names_are_verified_even_when_the_default_context_was_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda *_, **__: ssl._create_unverified_context())  # noqa: S323
    context = tls_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
