"""Fetching certificate revocation lists, as a device would: by plain HTTP, without signing in."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from keytrust.deploy.checks.distribution import distribution_points
from keytrust.deploy.checks.facts import ControllerFacts, Unread
from keytrust.deploy.checks.pki_facts import Crl, PkiFacts
from keytrust.directory.errands import Errands

_WORKERS = 16
MAX_BYTES = 32 * 2**20
"""Lists of public authorities with millions of certificates are smaller."""


def read_crls(
    controllers: Iterable[ControllerFacts],
    pki: PkiFacts | Unread,
    anchors: Path | None,
    deadline: float,
    timeout: float,
) -> dict[str, Crl | Unread]:
    """Fetch every list that the domain controllers' certificates name, each once, all at the same time.

    Args:
        controllers: Whose certificates.
        pki: Where their issuers may be found.
        anchors: A file where they may be found too.
        deadline: Of ``time.monotonic``.
        timeout: Seconds for one list.
    """
    wanted: dict[str, set[int]] = {}
    for controller in controllers:
        for certificate in controller.certificates:
            for url in distribution_points(certificate).http:
                wanted.setdefault(url, set()).add(certificate.serial_number)
    issuers = [] if isinstance(pki, Unread) else [*pki.authorities, *(pki.ntauth or ())]
    issuers += _in_file(anchors)
    errands: Errands[str, Crl | Unread] = Errands(_WORKERS)
    for url, serials in wanted.items():
        _send(errands, url, frozenset(serials), issuers, timeout)
    found = errands.collect(deadline)
    return {url: found.get(url, Unread("no answer in time")) for url in wanted}


def _send(
    errands: Errands[str, Crl | Unread],
    url: str,
    serials: frozenset[int],
    issuers: list[x509.Certificate],
    timeout: float,
) -> None:
    errands.send(url, lambda: fetch(url, serials, issuers, timeout))


def _in_file(anchors: Path | None) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(anchors.read_bytes()) if anchors else []
    except (OSError, ValueError):
        return []  # the check of trust says so


def fetch(url: str, serials: frozenset[int], issuers: Iterable[x509.Certificate], timeout: float) -> Crl | Unread:
    """Fetch the list at ``url``.

    Args:
        url: From a certificate, and so of somebody else's choosing: only http and https are followed.
        serials: The serial numbers of the certificates that name it.
        issuers: Certificates of authorities, one of which may have signed it.
        timeout: Seconds for the whole.
    """
    try:
        data = _download(url, timeout)
        found = x509.load_der_x509_crl(data)
    except httpx.TimeoutException:
        return Unread(f"no answer within {timeout:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Unread(str(error) or type(error).__name__)
    except ValueError as error:
        return Unread(f"what is there is not a DER certificate revocation list ({error})")
    signers = [each for each in issuers if each.subject == found.issuer]
    revoked = frozenset(
        serial for serial in serials if found.get_revoked_certificate_by_serial_number(serial) is not None
    )
    return Crl(found.next_update_utc, revoked, bool(signers), any(_signed(found, each) for each in signers))


def _download(url: str, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    received = bytearray()
    with (
        httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=3) as client,
        client.stream("GET", url) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise httpx.HTTPError(f"answered {answer.status_code} {answer.reason_phrase}".rstrip())
        for part in answer.iter_bytes():
            received += part
            if len(received) > MAX_BYTES:
                raise httpx.HTTPError(f"it has more than {MAX_BYTES // 2**20} MiB")
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("too slow")
    return bytes(received)


def _signed(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    try:
        return isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey) and found.is_signature_valid(
            key
        )
    except (TypeError, UnsupportedAlgorithm):
        return False
