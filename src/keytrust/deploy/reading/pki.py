"""What is published of certification authorities in the configuration naming context."""

from __future__ import annotations

from collections.abc import Iterable

import ldap
from cryptography import x509

from keytrust.deploy.checks.pki_facts import EnrolmentService, PkiFacts
from keytrust.deploy.reading.rows import first, rows, text
from keytrust.directory.session import Session

_CERTIFICATE = "cACertificate"


def read_pki(session: Session, configuration: str) -> PkiFacts:
    """Read ``CN=Public Key Services``.

    Raises:
        DirectoryError: the directory did not answer.
    """
    base = f"CN=Public Key Services,CN=Services,{configuration}"
    ntauth: tuple[x509.Certificate, ...] | None = None
    authorities: list[x509.Certificate] = []
    services: list[EnrolmentService] = []
    templates: dict[str, str] = {}
    wanted = ["objectClass", "cn", _CERTIFICATE, "dNSHostName", "certificateTemplates", "msPKI-Cert-Template-OID"]
    for dn, entry in rows(session, base, ldap.SCOPE_SUBTREE, "(objectClass=*)", wanted):
        kinds = {value.lower() for value in entry.get("objectclass", ())}
        if dn.lower().startswith("cn=ntauthcertificates,"):
            ntauth = _certificates(entry.get(_CERTIFICATE.lower(), ()))
        elif b"certificationauthority" in kinds:
            authorities += _certificates(entry.get(_CERTIFICATE.lower(), ()))
        elif b"pkienrollmentservice" in kinds:
            names = tuple(value.decode("utf-8", "replace") for value in entry.get("certificatetemplates", ()))
            services.append(EnrolmentService(text(entry, "cn"), text(entry, "dnshostname"), names))
            authorities += _certificates(entry.get(_CERTIFICATE.lower(), ()))
        elif b"pkicertificatetemplate" in kinds and first(entry, "mspki-cert-template-oid"):
            templates[text(entry, "mspki-cert-template-oid")] = text(entry, "cn")
    return PkiFacts(ntauth, tuple(authorities), tuple(services), templates)


def _certificates(values: Iterable[bytes]) -> tuple[x509.Certificate, ...]:
    found = []
    for value in values:
        try:
            found.append(x509.load_der_x509_certificate(value))
        except ValueError:
            continue  # Samba's and other tools' empty placeholder is one zero byte
    return tuple(found)
