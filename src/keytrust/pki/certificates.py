"""The certificates of an authority, of a KDC and of a TLS server. The lab and the set-up step use the same.

Requirements: RFC 4556 section 3.2.4 for KDCs, the deployment guide's PKI page for Windows devices, RFC 5280.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keytrust.pki.kerberos import KRB5_PRINCIPAL_NAME, NTDS_REPLICATION, controller_guid, krbtgt_principal

KDC_PURPOSES = (
    ExtendedKeyUsageOID.KERBEROS_PKINIT_KDC,
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CLIENT_AUTH,
)
SKEW = timedelta(days=1)
"""How long before it is made a certificate is valid. A wrong clock is then reported as what it is, not as a bad one."""
_LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority that can sign."""

    certificate: x509.Certificate
    key: RSAPrivateKey

    def __repr__(self) -> str:
        return f"Issuer({self.certificate.subject.rfc4514_string()})"


def authority(key: RSAPrivateKey, common_name: str, life: timedelta) -> x509.Certificate:
    """Make the certificate of an authority that issues to others and to no other authority."""
    name = _named(common_name)
    return (
        begun(name, name, key.public_key(), datetime.now(UTC) + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def kdc_certificate(
    issuer: Issuer,
    key: RSAPublicKey,
    realm: str,
    hosts: Sequence[str],
    until: datetime,
    *,
    guid: UUID | None = None,
    crl_url: str | None = None,
) -> x509.Certificate:
    """Make the certificate of a domain controller, for PKINIT, for LDAP over TLS and for replication.

    Args:
        issuer: Signs it.
        key: The controller's.
        realm: Kerberos realm, in ASCII.
        hosts: DNS names; the first is the controller's own.
        until: When it ends.
        guid: objectGUID of its computer account.
        crl_url: Where a client finds the list of revoked certificates.
    """
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
    names.append(x509.OtherName(KRB5_PRINCIPAL_NAME, krbtgt_principal(realm)))
    if guid is not None:
        names.append(x509.OtherName(NTDS_REPLICATION, controller_guid(guid)))
    return leaf(issuer, key, hosts[0], names, KDC_PURPOSES, until, crl_url=crl_url)


def leaf(
    issuer: Issuer,
    key: RSAPublicKey,
    common_name: str,
    names: Sequence[x509.GeneralName],
    purposes: Sequence[x509.ObjectIdentifier],
    until: datetime,
    *,
    crl_url: str | None = None,
) -> x509.Certificate:
    """Make a certificate of a server."""
    # A name too long for a common name is only in subjectAltName, which RFC 5280 4.2.1.6 then wants to be critical.
    subject = _named(common_name) if len(common_name) <= _LONGEST_COMMON_NAME else x509.Name([])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = (
        begun(subject, issuer.certificate.subject, key, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=not subject.rdns)
    )
    if crl_url is not None:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def begun(
    subject: x509.Name, issuer: x509.Name, key: RSAPublicKey | EllipticCurvePublicKey, until: datetime
) -> x509.CertificateBuilder:
    """What every certificate has: names, key, a serial number, its time, and the key's identifier."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - SKEW)
        .not_valid_after(until)
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
