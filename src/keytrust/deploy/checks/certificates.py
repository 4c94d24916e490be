"""The certificates of domain controllers, as each shows its own. Pure.

Requirements: the guide's PKI page, and RFC 4556 section 3.2.4 for KDCs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from keytrust.deploy.checks.facts import ControllerFacts, Trust, Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts

RENEW_BEFORE = timedelta(days=30)
MINIMUM_BITS = 2048
_MINIMUM_CURVE = 256
_WEAK_HASHES = {"md5", "sha1"}
_PURPOSES = {
    ExtendedKeyUsageOID.KERBEROS_PKINIT_KDC: "KDC authentication",
    ExtendedKeyUsageOID.SERVER_AUTH: "server authentication",
    ExtendedKeyUsageOID.CLIENT_AUTH: "client authentication",
}

OfCertificate = Callable[[x509.Certificate, ControllerFacts, Facts], Iterator[Observation]]


def present(facts: Facts) -> Iterator[Observation]:
    """Whether TLS is spoken on both ports."""
    for controller in facts.controllers:
        ldaps, starttls = controller.ldaps, controller.starttls
        if isinstance(ldaps, Unread) and isinstance(starttls, Unread):
            silent = isinstance(controller.root, Unread)
            say = cannot_tell if silent else failed
            yield say(f"{ldaps.why}; {starttls.why}", controller.host)
        elif isinstance(ldaps, Unread):
            yield warning(f"{ldaps.why}; StartTLS works", controller.host)
        elif isinstance(starttls, Unread):
            yield warning(f"{starttls.why}; LDAPS works", controller.host)
        elif ldaps != starttls:
            yield warning("LDAPS and StartTLS show different certificates: restart its services", controller.host)
        else:
            yield passed(f"issued by {ldaps.issuer.rfc4514_string() or 'nobody'}", controller.host)


def _each(judge: OfCertificate) -> Callable[[Facts], Iterator[Observation]]:
    def judged(facts: Facts) -> Iterator[Observation]:
        for controller in facts.controllers:
            if not controller.certificates:
                why = controller.ldaps.why if isinstance(controller.ldaps, Unread) else "it showed no certificate"
                yield cannot_tell(why, controller.host)
            for certificate in controller.certificates:
                try:
                    certificate.extensions  # noqa: B018 - reading them parses all of them
                except (ValueError, x509.DuplicateExtension) as error:
                    yield failed(f"its certificate is not legible: {error}", controller.host)
                    continue
                yield from judge(certificate, controller, facts)

    return judged


def _valid(certificate: x509.Certificate, controller: ControllerFacts, facts: Facts) -> Iterator[Observation]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    left = (ends - facts.now).days
    if facts.now > ends:
        yield failed(f"expired on {ends:%Y-%m-%d %H:%M} UTC", controller.host)
    elif facts.now < begins:
        yield failed(f"not valid before {begins:%Y-%m-%d %H:%M} UTC", controller.host)
    elif ends - facts.now < RENEW_BEFORE and ends - facts.now < (ends - begins) / 3:
        yield warning(f"expires on {ends:%Y-%m-%d}, in {left} days", controller.host)
    else:
        yield passed(f"until {ends:%Y-%m-%d}", controller.host)


def _purposes(certificate: x509.Certificate, controller: ControllerFacts, _: Facts) -> Iterator[Observation]:
    try:
        has = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        yield failed("has no extended key usage at all", controller.host)
        return
    missing = [name for oid, name in _PURPOSES.items() if oid not in has]
    if missing:
        yield failed(f"lacks {' and '.join(missing)}", controller.host)
    else:
        yield passed(", ".join(_PURPOSES.values()), controller.host)


def _names(certificate: x509.Certificate, controller: ControllerFacts, _: Facts) -> Iterator[Observation]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        yield failed("has no subjectAltName", controller.host)
        return
    if controller.host.lower() in (name.lower() for name in dns):
        yield passed(", ".join(dns), controller.host)
    else:
        yield failed(f"is for {', '.join(dns) or 'no DNS name'}", controller.host)


def _key(certificate: x509.Certificate, controller: ControllerFacts, _: Facts) -> Iterator[Observation]:
    key = certificate.public_key()
    digest = certificate.signature_hash_algorithm
    faults = []
    if isinstance(key, RSAPublicKey):
        kind = f"RSA {key.key_size}"
        if key.key_size < MINIMUM_BITS:
            faults.append(f"{kind} is shorter than {MINIMUM_BITS} bits")
    elif isinstance(key, EllipticCurvePublicKey):
        kind = f"EC {key.curve.name}"
        if key.key_size < _MINIMUM_CURVE:
            faults.append(f"{kind} is too short")
    else:
        kind = type(key).__name__
        faults.append(f"a key of the kind {kind} is not for PKINIT")
    signed = digest.name if digest else "no separate hash"
    if digest and digest.name in _WEAK_HASHES:
        faults.append(f"it is signed with {digest.name.upper()}")
    yield (
        failed("; ".join(faults), controller.host)
        if faults
        else passed(f"{kind}, signed with {signed}", controller.host)
    )


def _usage(certificate: x509.Certificate, controller: ControllerFacts, _: Facts) -> Iterator[Observation]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        yield warning("does not say its key usage, which allows every use", controller.host)
        return
    # The guide asks for key encipherment, which only RSA keys can do.
    wanted = {"digital signature": usage.digital_signature}
    if isinstance(certificate.public_key(), RSAPublicKey):
        wanted["key encipherment"] = usage.key_encipherment
    missing = [name for name, there in wanted.items() if not there]
    if missing:
        yield failed(f"lacks {' and '.join(missing)}", controller.host)
    else:
        yield passed(", ".join(wanted), controller.host)


def trusted(facts: Facts) -> Iterator[Observation]:
    """Whether a client with the configured authorities accepts each certificate."""
    for controller in facts.controllers:
        match controller.trust:
            case Unread(why):
                yield cannot_tell(why, controller.host)
            case Trust(anchors, ""):
                yield passed(f"accepted with {anchors}", controller.host)
            case Trust(anchors, refused):
                yield failed(f"refused with {anchors}: {refused}", controller.host)


_RENEW = "keytrust setup pki on Samba; enrol Kerberos Authentication on Windows (certutil -pulse)"

CHECKS = (
    Check(
        "dc-certificate",
        Section.PKI,
        "Every domain controller has a certificate for LDAP over TLS",
        "The KDC uses the same one to prove itself to devices; without it no key signs in.",
        _RENEW,
        present,
    ),
    Check(
        "dc-certificate-validity",
        Section.PKI,
        "The certificates of domain controllers are valid today and for 30 days more",
        "A device refuses a KDC whose certificate has expired.",
        _RENEW,
        _each(_valid),
    ),
    Check(
        "dc-certificate-purposes",
        Section.PKI,
        "They are for KDC, server and client authentication",
        "Cloud-joined devices refuse a KDC without KDC authentication (1.3.6.1.5.2.3.5).",
        _RENEW,
        _each(_purposes),
    ),
    Check(
        "dc-certificate-name",
        Section.PKI,
        "They name the domain controller in subjectAltName",
        "A device compares the name it asked for with the DNS names there.",
        _RENEW,
        _each(_names),
    ),
    Check(
        "dc-certificate-key",
        Section.PKI,
        "They have RSA keys of 2048 bits or more, and are signed with SHA-256 or better",
        "Current devices refuse weaker ones.",
        _RENEW,
        _each(_key),
    ),
    Check(
        "dc-certificate-usage",
        Section.PKI,
        "Their key usage is digital signature and key encipherment",
        "The guide's requirement for certificates from any authority.",
        _RENEW,
        _each(_usage),
    ),
    Check(
        "dc-certificate-trust",
        Section.PKI,
        "They are trusted with the authorities that keytrust is configured with",
        "keytrust signin, and connections by TLS, fail without it; so do devices that lack the authority.",
        "Set kdc_ca_file in [signin] and ca_file in [directory] to the authority's certificate (PEM)",
        trusted,
    ),
)
