"""Facts about the public key infrastructure. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509


@dataclass(frozen=True, slots=True)
class EnrolmentService:
    """A certification authority of Active Directory Certificate Services.

    Attributes:
        name: Its name.
        host: DNS name of the machine it runs on.
        templates: Names of the certificate templates that it issues.
    """

    name: str
    host: str
    templates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PkiFacts:
    """What is published under ``CN=Public Key Services`` in the configuration.

    Attributes:
        ntauth: The certificates in the NTAuth store; None when the directory has no such object.
        authorities: Other published authorities (``CN=AIA`` and ``CN=Certification Authorities``).
        services: The enrolment services.
        templates: Names of certificate templates by their object identifier in dotted form.
    """

    ntauth: tuple[x509.Certificate, ...] | None
    authorities: tuple[x509.Certificate, ...]
    services: tuple[EnrolmentService, ...]
    templates: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Crl:
    """A certificate revocation list as it was fetched.

    Attributes:
        next_update: When the next one is due; None when it does not say.
        revoked: The serial numbers in it that are among those we asked for.
        signer_known: Whether it was possible to check the signature.
        signature_good: Whether the issuer of the certificates signed it.
    """

    next_update: datetime | None
    revoked: frozenset[int]
    signer_known: bool
    signature_good: bool
