"""TLS is verified whatever other code does to Python's defaults."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keytrust.cloud.transport import tls_context
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
    first, second = authority("First"), authority("Second")
    file = tmp_path / "ca.pem"
    file.write_bytes(first)
    context = tls_context(file)
    assert tls_context(file) is context
    file.write_bytes(second)
    renewed = tls_context(file)
    assert renewed is not context
    assert [dict(name[0] for name in ca["subject"]) for ca in renewed.get_ca_certs()] == [{"commonName": "Second"}]
    file.write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match=r"ca\.pem cannot be used"):
        tls_context(file)
    file.unlink()
    with pytest.raises(ConfigError, match=r"ca\.pem cannot be used"):
        tls_context(file)


def authority(name: str) -> bytes:
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM)
