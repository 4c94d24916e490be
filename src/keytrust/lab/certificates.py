"""The lab's certification authority and the domain controller's certificate, for TLS and for PKINIT."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from keytrust.pki.certificates import Issuer, kdc_certificate, leaf
from keytrust.pki.certificates import authority as authority_certificate

_LIFE = timedelta(days=3650)


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
    key = _key()
    pair = _pair(authority_certificate(key, f"keytrust lab CA {realm}", _LIFE), key)
    return pair, issue(pair, realm, dc_host)


def issue(authority: Pair, realm: str, dc_host: str) -> Pair:
    """Make a domain controller's certificate, signed by an authority that ``make`` made."""
    key = _key()
    hosts = [dc_host, realm.lower()]
    return _pair(kdc_certificate(_issuer(authority), key.public_key(), realm, hosts, _until()), key)


def issue_server(authority: Pair, address: str) -> Pair:
    """Make the certificate of a TLS server at an address of this machine, signed by an authority that ``make`` made."""
    key = _key()
    names = [x509.IPAddress(ip_address(address))]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH]
    return _pair(leaf(_issuer(authority), key.public_key(), address, names, purposes, _until()), key)


def _issuer(authority: Pair) -> Issuer:
    key = load_pem_private_key(authority.key, None)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - ``make`` makes no other
    return Issuer(x509.load_pem_x509_certificate(authority.certificate), key)


def _until() -> datetime:
    return datetime.now(UTC) + _LIFE


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pair(certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
