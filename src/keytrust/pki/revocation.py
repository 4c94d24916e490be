"""Lists of revoked certificates (RFC 5280 section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from keytrust.pki.certificates import SKEW, Issuer


class Reason(StrEnum):
    """Why a certificate is revoked (RFC 5280 section 5.3.1), as far as it can happen to a domain controller's."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key-compromise"
    SUPERSEDED = "superseded"
    CESSATION = "cessation-of-operation"


_FLAGS = {
    Reason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    Reason.SUPERSEDED: x509.ReasonFlags.superseded,
    Reason.CESSATION: x509.ReasonFlags.cessation_of_operation,
}


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate that must not be believed any more."""

    serial: int
    at: datetime
    reason: Reason


def revocation_list(
    issuer: Issuer, revoked: Iterable[Revoked], number: int, now: datetime, until: datetime
) -> x509.CertificateRevocationList:
    """Make a list.

    Args:
        issuer: Signs it.
        revoked: All that is to be in it.
        number: Greater than that of every list before.
        now: When it is made.
        until: When the next will be there at the latest; clients refuse it afterwards.
    """
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - SKEW)
        .next_update(until)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(identifier, critical=False)
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.serial).revocation_date(each.at)
        if each.reason in _FLAGS:  # "unspecified" is said by saying nothing
            entry = entry.add_extension(x509.CRLReason(_FLAGS[each.reason]), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())
