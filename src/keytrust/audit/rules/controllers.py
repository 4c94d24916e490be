"""Values that the domain's domain controllers do not accept, so that the key does not sign in.

What Samba's KDC takes was tried against version 4.24; that Windows rejects SubjectPublicKeyInfo is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keytrust.audit.model import AccountKind, Code, Finding, InspectedValue, Subject, Vendor
from keytrust.audit.rules.context import NGC, Context, found

_KNOWN_ENTRIES = range(1, 10)
_SAMBA_READS = (None, 2)
_SAMBA_READS_FROM = 16


def judge(context: Context, subject: Subject, seen: Sequence[InspectedValue]) -> Iterator[Finding]:
    """Nothing is said when the vendor is not known."""
    if context.vendor is None or subject.kind is not AccountKind.USER:
        return
    reasons = _samba if context.vendor is Vendor.SAMBA else _windows
    for value in seen:
        if value.readable and value.usage == NGC:
            why = "; ".join(reasons(value))
            if why:
                yield found(Code.REJECTED_BY_CONTROLLER, subject, value, why)


def _samba(value: InspectedValue) -> Iterator[str]:
    length = None if value.information is None else len(value.information)
    if length not in _SAMBA_READS and length is not None and length < _SAMBA_READS_FROM:
        yield f"Samba cannot decode CustomKeyInformation of {length} bytes"
    unknown = sorted({entry for entry in value.entries if entry not in _KNOWN_ENTRIES})
    if unknown:
        yield f"Samba rejects the unknown entry {unknown[0]}"
    if len(value.claimed_id) != 32:
        yield f"Samba rejects a KeyID of {len(value.claimed_id)} bytes"
    if value.material == "pkcs1":
        yield "Samba does not read PKCS#1 key material"


def _windows(value: InspectedValue) -> Iterator[str]:
    if value.material == "spki":
        yield "Windows domain controllers do not read SubjectPublicKeyInfo key material"
