"""Values that the domain's domain controllers do not accept, so that the key does not sign in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keytrust.audit.model import Code, Finding, InspectedValue, Subject, Vendor
from keytrust.audit.rules.context import NGC, found
from keytrust.credential import samba_objections, windows_objections


def judge(vendor: Vendor, subject: Subject, seen: Sequence[InspectedValue]) -> Iterator[Finding]:
    """The Windows Hello keys of a user that this vendor's domain controllers ignore."""
    reasons = _samba if vendor is Vendor.SAMBA else _windows
    for value in seen:
        if value.readable and value.usage == NGC:
            why = "; ".join(reasons(value))
            if why:
                yield found(Code.REJECTED_BY_CONTROLLER, subject, value, why)


def _samba(value: InspectedValue) -> Iterator[str]:
    return samba_objections(
        information=None if value.information is None else len(value.information),
        entries=value.entries,
        key_id=len(value.claimed_id),
        material=value.material,
    )


def _windows(value: InspectedValue) -> Iterator[str]:
    return windows_objections(value.material)
