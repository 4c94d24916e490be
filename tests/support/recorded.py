"""Facts as a healthy domain has them, to be spoiled one at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keytrust.deploy.checks import Observation, Result, chosen, examine
from keytrust.deploy.checks.facts import (
    ControllerFacts,
    DomainFacts,
    Facts,
    KdcAnswer,
    Listing,
    Root,
    Trust,
    Unread,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNREAD = Unread("it was switched off")
EVERY_PURPOSE = (
    ExtendedKeyUsageOID.KERBEROS_PKINIT_KDC,
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CLIENT_AUTH,
)


def domain(**fields: Any) -> DomainFacts:
    good = DomainFacts("corp.example", 7, 7, 88, "5b47d60f-6090-40b2-9f37-2a4de88f3063")
    return replace(good, **fields)


def listing(**fields: Any) -> Listing:
    return replace(Listing("Paris", 7, "Windows Server 2019 Standard", "10.0 (17763)", False), **fields)


def controller(host: str = "dc1.corp.example", **fields: Any) -> ControllerFacts:
    shown = certificate(host)
    kdc = KdcAnswer(25, frozenset({2, 16, 19}), 0.2)
    good = ControllerFacts(
        host=host,
        listing=listing(),
        root=Root("Windows", False, 7, False, 0.1),
        ldaps=shown,
        starttls=shown,
        trust=Trust("/etc/keytrust/ca.pem"),
        kdc_tcp=kdc,
        kdc_udp=kdc,
    )
    return replace(good, **fields)


def dead(host: str = "dc9.corp.example", **fields: Any) -> ControllerFacts:
    """A domain controller that the directory lists and that answers nothing."""
    return controller(
        host,
        **dict.fromkeys(("root", "ldaps", "starttls", "trust", "kdc_tcp", "kdc_udp"), UNREAD),
        **fields,
    )


def facts(*controllers: ControllerFacts, **fields: Any) -> Facts:
    return replace(Facts(NOW, domain(), controllers or (controller(),)), **fields)


def judged(check: str, given: Facts) -> Result:
    [result] = examine(chosen([check]), given)
    return result


def said(check: str, given: Facts) -> Observation:
    """The observation that decided."""
    return judged(check, given).observations[0]


@lru_cache(maxsize=64)
def certificate(
    host: str = "dc1.corp.example",
    *,
    begins: timedelta = timedelta(days=-30),
    ends: timedelta = timedelta(days=335),
    purposes: tuple[x509.ObjectIdentifier, ...] | None = EVERY_PURPOSE,
    names: tuple[str, ...] | None = None,
    bits: int = 2048,
    curve: bool = False,
    digest: hashes.HashAlgorithm | None = None,
    encipher: bool | None = True,
    extra: tuple[x509.ExtensionType, ...] = (),
) -> x509.Certificate:
    """A certificate of a domain controller; times are relative to ``NOW``."""
    key = _ec_key() if curve else _rsa_key(bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corp Issuing CA")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
    )
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    dns = (host,) if names is None else names
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in dns]), False)
    if encipher is not None:
        usage = x509.KeyUsage(True, False, encipher, False, False, False, False, False, False)
        builder = builder.add_extension(usage, critical=True)
    for extension in extra:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(_rsa_key(2048), digest or hashes.SHA256())


@lru_cache
def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@lru_cache
def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
