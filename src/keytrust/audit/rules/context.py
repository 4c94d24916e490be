"""What the rules know beside the account in question, and how they word a finding."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from keytrust.audit.catalogue import CATALOGUE
from keytrust.audit.devices import Devices
from keytrust.audit.model import Code, Finding, InspectedValue, Severity, Subject, Thresholds, Vendor, fingerprint
from keytrust.audit.registered import RegisteredKeys
from keytrust.directory.account import guid_text

NGC, STK, FIDO, FEK = 1, 2, 7, 8
SOURCE_AD, SOURCE_CLOUD = 0, 1
DAY = 86_400

_WORSE_ON_PRIVILEGED = {
    Code.NOT_REGISTERED,
    Code.NO_CLOUD_USER,
    Code.SHARED_KEY,
    Code.OTHERS_DEVICE,
    Code.KEY_ID_MISMATCH,
    Code.TOOL_MARK,
    Code.DISGUISED,
    Code.DUPLICATE_KEY_ID,
    Code.WEAK_RSA,
}


class Registered(StrEnum):
    """Whether a stored key is registered."""

    YES = "registered"
    NO = "not registered"
    LOCALLY = "registered with Active Directory"
    UNKNOWN = "not known"
    NOT_ASKED = "not checked"


@dataclass(frozen=True, slots=True)
class Context:
    """What is known beside the account.

    Attributes:
        now: Seconds since 1970.
        registered: The registered keys; None when none were given.
        devices: The devices; None when they are not known.
        vendor: Whose domain controllers must accept the values; None when not known.
        thresholds: Where plenty begins.
    """

    now: int
    registered: RegisteredKeys | None = None
    devices: Devices | None = None
    vendor: Vendor | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)


def found(
    code: Code,
    subject: Subject,
    value: InspectedValue | None,
    message: str,
    *,
    severity: Severity | None = None,
    **evidence: str,
) -> Finding:
    """A finding about an account and, mostly, one of its values."""
    severity = severity or CATALOGUE[code].severity
    if subject.privileged and severity is Severity.HIGH and code in _WORSE_ON_PRIVILEGED:
        severity = Severity.CRITICAL
    key_id = value.key_id.hex() if value else ""
    who = subject.guid or subject.sid or subject.dn.casefold()
    if value is not None:
        evidence = described(value) | evidence
    return Finding(
        code=code,
        severity=severity,
        account=subject.name,
        dn=subject.dn,
        sid=subject.sid,
        guid=guid_text(subject.guid) if len(subject.guid) == 16 else "",
        privileged=subject.privileged,
        key_id=key_id,
        message=message,
        evidence=evidence,
        fingerprint=fingerprint(code, who, value.identity if value else b""),
    )


def described(value: InspectedValue) -> dict[str, str]:
    """The details of a value that a person wants to see beside a finding."""
    details = {"value": value.identity.hex()}
    if value.readable:
        details["usage"] = _named({NGC: "NGC", STK: "STK", FIDO: "FIDO", FEK: "FEK"}, value.usage)
        details["source"] = _named({SOURCE_AD: "AD", SOURCE_CLOUD: "AzureAD"}, value.source)
        details["device"] = value.device or "none"
        details["key"] = f"RSA-{value.bits} ({value.material})" if value.bits else value.material or "unreadable"
        details["created"] = day(value.created)
    return details


def day(seconds: int | None) -> str:
    """A date for people, ISO 8601; a dash when it is not known."""
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def _named(names: dict[int, str], number: int | None) -> str:
    return "missing" if number is None else names.get(number, str(number))
