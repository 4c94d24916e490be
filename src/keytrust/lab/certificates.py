"""The lab's certification authority and the domain controller's certificate, for TLS and for PKINIT."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KRB5_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.5.2.2")
"""id-pkinit-san, RFC 4556 section 3.2.2."""

_NT_SRV_INST = 2
_LIFE = timedelta(days=3650)
_SKEW = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM; the key is kept out of the repr."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(…)"


def make(realm: str, dc_host: str) -> tuple[Pair, Pair]:
    """Make an authority and, signed by it, the domain controller's certificate.

    Args:
        realm: Kerberos realm; its lower-case form is the domain's DNS name.
        dc_host: The controller's full host name.

    Returns:
        The authority's pair and the controller's.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"keytrust lab CA {realm}")])
    authority = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    pair = _pair(authority, key)
    return pair, issue(pair, realm, dc_host)


def issue(authority: Pair, realm: str, dc_host: str) -> Pair:
    """Make a domain controller's certificate, signed by an authority that ``make`` made."""
    names: list[x509.GeneralName] = [
        x509.DNSName(dc_host),
        x509.DNSName(realm.lower()),
        x509.OtherName(KRB5_PRINCIPAL_NAME, krbtgt_principal(realm)),
    ]
    return _issue(
        authority,
        dc_host,
        names,
        [ExtendedKeyUsageOID.KERBEROS_PKINIT_KDC, ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    )


def issue_server(authority: Pair, address: str) -> Pair:
    """Make the certificate of a TLS server at an address of this machine, signed by an authority that ``make`` made."""
    names: list[x509.GeneralName] = [x509.IPAddress(ip_address(address))]
    return _issue(authority, address, names, [ExtendedKeyUsageOID.SERVER_AUTH])


def _issue(
    authority: Pair, common_name: str, names: list[x509.GeneralName], purposes: list[x509.ObjectIdentifier]
) -> Pair:
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = load_pem_private_key(authority.key, None)
    assert isinstance(issuer_key, rsa.RSAPrivateKey)  # noqa: S101 - ``make`` makes no other
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        _builder(subject, issuer.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return _pair(certificate, key)


def krbtgt_principal(realm: str) -> bytes:
    """DER of the ``KRB5PrincipalName`` krbtgt/REALM@REALM (RFC 4556 section 3.2.2)."""
    name = _tlv(0xA0, _tlv(0x02, bytes([_NT_SRV_INST]))) + _tlv(
        0xA1, _tlv(0x30, _general_string("krbtgt") + _general_string(realm))
    )
    return _tlv(0x30, _tlv(0xA0, _general_string(realm)) + _tlv(0xA1, _tlv(0x30, name)))


def _general_string(text: str) -> bytes:
    return _tlv(0x1B, text.encode("ascii"))


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=not certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
