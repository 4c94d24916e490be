"""What is published of certification authorities, and the domain controllers' certificates against it. Pure.

Requirements: the guide's PKI page, and its baseline for devices that are joined to the cloud alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cryptography import x509

from keytrust.deploy.checks.distribution import distribution_points
from keytrust.deploy.checks.facts import ControllerFacts, Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.pki_facts import Crl, PkiFacts
from keytrust.deploy.checks.world import Facts

_SUPERSEDED = ("DomainController", "DomainControllerAuthentication")
"""By their cn; what people see is "Domain Controller" and "Domain Controller Authentication"."""
_OLD_TEMPLATE = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2")
_NEW_TEMPLATE = x509.ObjectIdentifier("1.3.6.1.4.1.311.21.7")
_FRESH = timedelta(hours=24)


def ntauth(facts: Facts) -> Iterator[Observation]:
    """Whether the issuer of each domain controller's certificate is in the NTAuth store."""
    pki = facts.pki
    if isinstance(pki, Unread):
        yield cannot_tell(pki)
        return
    for controller in facts.controllers:
        if not controller.certificates:
            yield cannot_tell("it showed no certificate", controller.host)
        for certificate in controller.certificates:
            yield _in_ntauth(certificate, controller, pki)


def _in_ntauth(certificate: x509.Certificate, controller: ControllerFacts, pki: PkiFacts) -> Observation:
    issuer = certificate.issuer.rfc4514_string()
    if any(_issued(certificate, each) for each in pki.ntauth or ()):
        return passed(issuer, controller.host)
    seen = f"{issuer} is not in NTAuth" if pki.ntauth is not None else "the directory has no NTAuth store"
    # A Samba domain controller does not look there; devices joined to the domain do.
    return warning(seen, controller.host) if controller.samba else failed(seen, controller.host)


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:
        return False
    return True


def superseded(facts: Facts) -> Iterator[Observation]:
    """Whether an authority still issues the old kinds of certificates."""
    pki = facts.pki
    if isinstance(pki, Unread):
        yield cannot_tell(pki)
        return
    if not pki.services:
        yield passed("no authority of Active Directory Certificate Services is published")
    for service in pki.services:
        old = [name for name in _SUPERSEDED if name in service.templates]
        if old:
            yield warning(f"still issues {' and '.join(old)}", service.name)
        else:
            yield passed(f"issues {len(service.templates)} templates, none of the old ones", service.name)


def on_a_controller(facts: Facts) -> Iterator[Observation]:
    """Whether an authority runs on a domain controller."""
    pki = facts.pki
    if isinstance(pki, Unread):
        yield cannot_tell(pki)
        return
    if facts.complete is not None:
        yield cannot_tell(facts.complete)
    controllers = {controller.host.lower() for controller in facts.controllers}
    for service in pki.services:
        host = service.host.lower().rstrip(".")
        if host in controllers:
            yield warning(f"runs on the domain controller {host}", service.name)
        elif not host:
            yield cannot_tell("does not say where it runs", service.name)
        elif facts.complete is None:
            yield passed(f"runs on {host}, which is no domain controller of this domain", service.name)
    if not pki.services and facts.complete is None:
        yield passed("no authority of Active Directory Certificate Services is published")


def template(facts: Facts) -> Iterator[Observation]:
    """From which template each Windows domain controller's certificate is."""
    for controller in facts.controllers:
        if not controller.certificates:
            yield cannot_tell("it showed no certificate", controller.host)
        elif controller.samba is None:
            yield cannot_tell("it is not known whether it is Windows", controller.host)
        elif controller.samba:
            yield passed("Samba: needs none", controller.host)
        else:
            for certificate in controller.certificates:
                yield _template(certificate, controller, facts.pki)


def _template(certificate: x509.Certificate, controller: ControllerFacts, pki: PkiFacts | Unread) -> Observation:
    try:
        old, new = _extension(certificate, _OLD_TEMPLATE), certificate.extensions.get_extension_for_oid(_NEW_TEMPLATE)
    except x509.ExtensionNotFound:
        new = None
        old = _extension(certificate, _OLD_TEMPLATE)
    except (ValueError, x509.DuplicateExtension) as error:
        return failed(f"its certificate is not legible: {error}", controller.host)
    if old:
        name = old[2:].decode("utf-16-be" if old[0] == 0x1E else "utf-8", "replace")  # BMPString, else UTF8String
        if name.replace(" ", "") in _SUPERSEDED:
            return failed(f"from the superseded template {name}", controller.host)
        return passed(f"from the template {name}", controller.host)
    if new is not None and isinstance(new.value, x509.MSCertificateTemplate):
        oid = new.value.template_id.dotted_string
        known = {} if isinstance(pki, Unread) else pki.templates
        return passed(f"from the template {known.get(oid, oid)}", controller.host)
    return warning("names no template: Windows does not choose it by itself for the KDC", controller.host)


def _extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes:
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return b""
    return value.value if isinstance(value, x509.UnrecognizedExtension) and len(value.value) > 2 else b""


def revocation(facts: Facts) -> Iterator[Observation]:
    """Whether a device can find out that a domain controller's certificate is not revoked."""
    for controller in facts.controllers:
        if not controller.certificates:
            yield cannot_tell("it showed no certificate", controller.host)
        for certificate in controller.certificates:
            points = distribution_points(certificate)
            if not points.http:
                where = f"names only {points.others[0]}" if points.others else "names no revocation list"
                yield warning(f"{where}: devices joined to the cloud alone cannot look", controller.host)
            for url in points.http:
                found = facts.crls.get(url, Unread("it was not fetched"))
                yield _list(url, found, certificate.serial_number, controller, facts)


def _list(url: str, found: Crl | Unread, serial: int, controller: ControllerFacts, facts: Facts) -> Observation:
    if isinstance(found, Unread):
        return failed(f"{url}: {found.why}", controller.host)
    if serial in found.revoked:
        return failed(f"its certificate is revoked by {url}", controller.host)
    if found.signer_known and not found.signature_good:
        return failed(f"{url} is not signed by the authority", controller.host)
    if found.next_update is not None and found.next_update < facts.now:
        return failed(f"{url} was to be renewed by {found.next_update:%Y-%m-%d %H:%M} UTC", controller.host)
    if found.next_update is not None and found.next_update < facts.now + _FRESH:
        return warning(f"{url} has to be renewed by {found.next_update:%Y-%m-%d %H:%M} UTC", controller.host)
    signed = "" if found.signer_known else "; who signed it could not be checked"
    until = f", good until {found.next_update:%Y-%m-%d}" if found.next_update else ""
    return passed(f"{url}{until}{signed}", controller.host)


CHECKS = (
    Check(
        "pki-ntauth",
        Section.PKI,
        "The authority of the domain controllers' certificates is in the NTAuth store",
        "Windows accepts a KDC, and a KDC a key, only when the issuer is there.",
        "certutil -dspublish -f CA.cer NTAuthCA, as a member of Enterprise Admins",
        ntauth,
    ),
    Check(
        "pki-superseded",
        Section.PKI,
        "No authority still issues the templates Domain Controller and Domain Controller Authentication",
        "A domain controller that enrols one of them gets a certificate without KDC authentication.",
        "Supersede them by the new template and delete them from Certificate Templates of the authority",
        superseded,
    ),
    Check(
        "ca-on-dc",
        Section.BASELINE,
        "No certification authority runs on a domain controller",
        "The guide advises against it: whoever administers the one has the other, and neither can be moved, restored "
        "or retired without the other.",
        "Move the authority to a server of its own (Microsoft's guide to migrating AD CS), or accept this",
        on_a_controller,
    ),
    Check(
        "dc-certificate-template",
        Section.PKI,
        "The certificates of Windows domain controllers are from a current template",
        "Windows chooses the KDC's certificate by its template.",
        "Enrol Kerberos Authentication or a template made from it (certutil -pulse)",
        template,
    ),
    Check(
        "dc-certificate-revocation",
        Section.PKI,
        "The revocation list of the domain controllers' certificates is reached over HTTP, and current",
        "Devices joined to the cloud alone refuse a KDC whose revocation they cannot look up.",
        "Publish the list at an http address, renew it (certutil -crl), and issue the certificates anew with that "
        "address; keytrust setup pki does so on Samba",
        revocation,
    ),
)
