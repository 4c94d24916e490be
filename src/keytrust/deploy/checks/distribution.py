"""Where a certificate says that its revocation list is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509


@dataclass(frozen=True, slots=True)
class DistributionPoints:
    """The places of a certificate's revocation list (RFC 5280 section 4.2.1.13).

    Attributes:
        http: Those that every device reaches, http and https.
        others: The rest, mostly ldap, for which a device must be in the domain.
    """

    http: tuple[str, ...]
    others: tuple[str, ...]


def distribution_points(certificate: x509.Certificate) -> DistributionPoints:
    """The places; of a certificate that is not legible, none."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return DistributionPoints((), ())
    names = [
        name.value
        for point in points
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    ]
    http = tuple(name for name in names if name.lower().startswith(("http://", "https://")))
    return DistributionPoints(http, tuple(name for name in names if name not in http))
