"""The certificate that carries the user's public key to the KDC, and the throwaway issuer that signs it.

Key trust needs no certificate, but PKINIT has no other vessel for the key. MIT's kinit leaves the last certificate of
the chain out of the request, so a self-signed one would never be sent; hence an issuer, whose key is forgotten at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keytrust.pki.certificates import begun

UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""The user principal name as a subjectAltName otherName ([MS-PKCA] 3.1.5.2.1)."""

_LIFE = timedelta(hours=1)


@dataclass(frozen=True)
class Chain:
    """PEM certificates: the user's, and the issuer's that signed it."""

    leaf: bytes
    issuer: bytes


def make_chain(upn: str, key: rsa.RSAPublicKey) -> Chain:
    """Certify ``key`` for ``upn`` by an issuer made for this one certificate.

    Args:
        upn: What to name the user in the certificate.
        key: The user's public key.
    """
    until = datetime.now(UTC) + _LIFE
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keytrust throwaway issuer")])
    issuer = (
        begun(issuer_name, issuer_name, issuer_key.public_key(), until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keytrust sign-in")])
    leaf = (
        begun(subject, issuer_name, key, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.OtherName(UPN, _utf8_string(upn))]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return Chain(leaf.public_bytes(Encoding.PEM), issuer.public_bytes(Encoding.PEM))


def _utf8_string(text: str) -> bytes:
    content = text.encode()
    size = len(content)
    if size < 0x80:
        return bytes([0x0C, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x0C, 0x80 | len(length)]) + length + content


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
