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

from keytrust.cloud.probe import Way
from keytrust.cloud.source import CloudUser
from keytrust.deploy.checks import Observation, Result, chosen, examine
from keytrust.deploy.checks.account_facts import (
    CloudFacts,
    ConnectorFacts,
    Pairing,
    RegistrationPoint,
    RightsFacts,
    UserFacts,
)
from keytrust.deploy.checks.facts import (
    ControllerFacts,
    DomainFacts,
    KdcAnswer,
    KeyTrial,
    Listing,
    Root,
    Trust,
    Unread,
)
from keytrust.deploy.checks.pki_facts import Crl, EnrolmentService, PkiFacts
from keytrust.deploy.checks.policy_facts import GroupPolicy, PolicyFacts
from keytrust.deploy.checks.world import Facts
from keytrust.directory.account import Account

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TENANT = "6f0c2ac0-5b7b-4c6a-9f4e-30a1f2d3c4b5"
CRL_URL = "http://pki.corp.example/issuing.crl"
UNREAD = Unread("it was switched off")
_TEMPLATE_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2")
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
        kdc_key=KeyTrial(62),
        ports={88: "", 389: ""},
    )
    return replace(good, **fields)


def dead(host: str = "dc9.corp.example", **fields: Any) -> ControllerFacts:
    """A domain controller that the directory lists and that answers nothing."""
    return controller(
        host,
        **dict.fromkeys(("root", "ldaps", "starttls", "trust", "kdc_tcp", "kdc_udp", "kdc_key", "ports"), UNREAD),
        **fields,
    )


def facts(*controllers: ControllerFacts, **fields: Any) -> Facts:
    there = controllers or (controller(),)
    names = frozenset(each.host for each in there)
    good = Facts(
        now=NOW,
        domain=domain(),
        controllers=there,
        pki=pki(),
        crls={CRL_URL: crl()},
        records={"_ldap._tcp.dc._msdcs": names, "_kerberos._tcp.dc._msdcs": names},
        connector=connector(),
        rights=rights(),
        overgrant=False,
        users=users(),
        registration=RegistrationPoint("CN=62a0ff2e", (f"azureADId:{TENANT}", "azureADName:corp.example")),
        cloud=CloudFacts("https://graph.example", ways(), TENANT),
        pairings=(pairing(),),
        policies=policies(policy()),
    )
    return replace(good, **fields)


def policy(name: str = "Hello", **computers: int) -> GroupPolicy:
    """One as the guide wants it; with ``computers`` otherwise."""
    values = {"enabled": 1, "requiresecuritydevice": 1} | computers
    return GroupPolicy(name, ("OU=People,DC=corp,DC=example",), {"computers": values})


def policies(*found: GroupPolicy, hidden: int = 0) -> PolicyFacts:
    return PolicyFacts(found, hidden)


def pki(**fields: Any) -> PkiFacts:
    service = EnrolmentService("Corp Issuing CA", "ca.corp.example", ("KerberosAuthentication",))
    return replace(PkiFacts((authority(),), (), (service,), {}), **fields)


def crl(**fields: Any) -> Crl:
    return replace(Crl(NOW + timedelta(days=6), frozenset(), True, True), **fields)


def connector(**fields: Any) -> ConnectorFacts:
    good = ConnectorFacts(
        name="svc-keytrust",
        dn="CN=svc-keytrust,DC=corp,DC=example",
        control=0x10200,
        managed=False,
        password_set=NOW - timedelta(days=40),
        password_expires=None,
        account_expires=None,
        protected=False,
        delegates_to=(),
        groups=frozenset({"S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-526", "S-1-1-0"}),
    )
    return replace(good, **fields)


def rights(**fields: Any) -> RightsFacts:
    return replace(RightsFacts(12, (), (), ()), **fields)


def users(**fields: Any) -> UserFacts:
    return replace(UserFacts(30, 100, True, (), (("Windows Hello for Business Users", True),)), **fields)


def ways(*, keys: bool | None = True, audits: bool = True) -> tuple[Way, ...]:
    return (
        Way("collection", "keys of all users, a page at a time", "User.Read.All", keys, "as recorded"),
        Way("audits", "which users registered a key", "AuditLog.Read.All", audits, "refused: 403"),
    )


def account(**fields: Any) -> Account:
    anna = Account(
        dn="CN=Anna,DC=corp,DC=example",
        guid=bytes(16),
        sid="S-1-5-21-1-2-3-1105",
        name="anna",
        upn="anna@corp.example",
        consistency_guid=b"a" * 16,
        computer=False,
        enabled=True,
        protected=False,
        values=(),
    )
    return replace(anna, **fields)


def pairing(of: Account | None = None, *others: CloudUser, **fields: Any) -> Pairing:
    """An account and its cloud user, with ``fields`` of that user otherwise; with ``others`` beside it."""
    mine = of or account()
    user = CloudUser("1", "anna@corp.example", b"a" * 16, "S-1-5-21-1-2-3-1105")
    return Pairing(mine, (replace(user, **fields), *others))


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
    lists: tuple[str, ...] = (CRL_URL,),
    template: str = "KerberosAuthentication",
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
    if lists:
        places = [x509.UniformResourceIdentifier(each) for each in lists]
        point = x509.DistributionPoint(places, None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if template:
        text = template.encode("utf-16-be")
        value = x509.UnrecognizedExtension(_TEMPLATE_NAME, bytes([0x1E, len(text)]) + text)  # DER of a BMPString
        builder = builder.add_extension(value, critical=False)
    for extension in extra:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(_rsa_key(2048), digest or hashes.SHA256())


@lru_cache
def authority(common_name: str = "Corp Issuing CA") -> x509.Certificate:
    """The authority of ``certificate``; under another name, one that did not issue them."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    key = _rsa_key(2048)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - timedelta(days=900))
    return builder.not_valid_after(NOW + timedelta(days=900)).sign(key, hashes.SHA256())


@lru_cache
def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@lru_cache
def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
