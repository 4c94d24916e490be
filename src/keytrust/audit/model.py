"""What an audit looks at and what it finds. Plain data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How much a finding matters, from worst to least."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return _RANKS[self]

    def at_least(self, threshold: Severity) -> bool:
        """Whether it is as bad as ``threshold`` or worse."""
        return self.rank <= threshold.rank


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Code(StrEnum):
    """The stable ids of what can be found; ``catalogue`` has their meaning."""

    NOT_REGISTERED = "key-not-registered"
    NO_CLOUD_USER = "key-without-cloud-user"
    REGISTRATION_UNKNOWN = "registration-unknown"
    SHARED_KEY = "key-on-several-accounts"
    DUPLICATE_KEY = "duplicate-key"
    DUPLICATE_KEY_ID = "duplicate-key-id"
    ROCA = "roca-weak-key"
    WEAK_RSA = "weak-rsa-key"
    UNREADABLE_VALUE = "unreadable-value"
    UNREADABLE_MATERIAL = "unreadable-key-material"
    KEY_ID_MISMATCH = "key-id-mismatch"
    TOOL_MARK = "mark-of-a-planting-tool"
    DISGUISED = "disguised-key"
    KEY_HASH_MISMATCH = "key-hash-mismatch"
    ODD_STRUCTURE = "odd-structure"
    ODD_TIME = "odd-time"
    OWNER_MISMATCH = "owner-mismatch"
    NO_DEVICE = "orphaned-no-device"
    DEVICE_DISABLED = "orphaned-device-disabled"
    OTHERS_DEVICE = "device-of-another-user"
    DEVICE_TWICE = "several-keys-of-one-device"
    STALE_KEY = "stale-key"
    DISABLED_ACCOUNT = "key-on-disabled-account"
    EXPIRED_ACCOUNT = "key-on-expired-account"
    UNUSED_ACCOUNT = "key-on-unused-account"
    PRIVILEGED_ACCOUNT = "key-on-privileged-account"
    COMPUTER_SEVERAL_KEYS = "computer-with-several-keys"
    COMPUTER_USER_KEY = "computer-with-user-style-key"
    UNEXPECTED_USAGE = "unexpected-key-usage"
    MANY_KEYS = "many-keys"
    REJECTED_BY_CONTROLLER = "rejected-by-domain-controller"
    REGISTERED_MISSING = "registered-key-missing"
    PARTIAL_VALUES = "partial-values"
    DAMAGED_RECORD = "damaged-record"
    BROAD_WRITER = "everybody-may-plant"
    UNEXPECTED_WRITER = "unexpected-writer"
    ADPREP_DEFECT = "key-admins-full-control"
    UNREADABLE_DESCRIPTOR = "unreadable-security-descriptor"


class AccountKind(StrEnum):
    """What kind of object holds a key."""

    USER = "user"
    COMPUTER = "computer"
    OTHER = "other"
    """Neither, or its attributes do not tell."""


class Subject(NamedTuple):
    """An object that may hold keys, as far as its attributes are known: dumps leave much out.

    Attributes:
        dn: Distinguished name.
        name: ``sAMAccountName``, else the DN.
        upn: ``userPrincipalName`` or empty.
        kind: User, computer or neither.
        guid: ``objectGUID``, 16 bytes, or empty.
        sid: ``objectSid`` in text form, or empty.
        anchor: ``mS-DS-ConsistencyGuid``, else ``objectGUID``, else empty.
        enabled: Whether the account may sign in; None when not known.
        expires: ``accountExpires`` in seconds since 1970; None when never or not known.
        last_signin: ``lastLogonTimestamp`` in seconds since 1970; None when not known.
        privileged: ``adminCount`` is 1.
        partial: Not all of its key credential values are known.
    """

    dn: str
    name: str
    upn: str = ""
    kind: AccountKind = AccountKind.USER
    guid: bytes = b""
    sid: str = ""
    anchor: bytes = b""
    enabled: bool | None = None
    expires: int | None = None
    last_signin: int | None = None
    privileged: bool = False
    partial: bool = False


class Issue(NamedTuple):
    """Something that a value shows by itself."""

    code: Code
    evidence: str


class InspectedValue(NamedTuple):
    """One value of ``msDS-KeyCredentialLink``, reduced to what the audit asks of it.

    Attributes:
        raw: The value's exact bytes; empty unless they were asked for.
        identity: SHA-256 over the binary part, by which a value is known again wherever its account is moved to.
        key_id: SHA-256 of the key material; empty when there is none.
        claimed_id: The stored KeyID; empty when there is none.
        public_id: Identity of the public key whatever its encoding; empty when there is none.
        usage: KeyUsage; None when missing or of the wrong size.
        source: KeySource, likewise.
        device: DeviceId as text; empty when there is none or it is all zeros.
        created: Seconds since 1970; None when missing or impossible.
        last_used: KeyApproximateLastLogonTimeStamp, likewise; None for never.
        information: CustomKeyInformation; None when missing.
        material: Kind of key material; empty when unreadable.
        bits: Size of an RSA modulus; 0 for other keys.
        entries: Identifiers of the entries, as stored.
        issues: What the value shows by itself.
    """

    raw: bytes
    identity: bytes
    key_id: bytes
    claimed_id: bytes
    public_id: bytes
    usage: int | None
    source: int | None
    device: str
    created: int | None
    last_used: int | None
    information: bytes | None
    material: str
    bits: int
    entries: tuple[int, ...]
    issues: tuple[Issue, ...]

    @property
    def readable(self) -> bool:
        """Whether it is a key credential at all."""
        return bool(self.entries)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        code: What kind of thing.
        severity: How much it matters here.
        account: Name of the account; empty when it is about no single account.
        dn: Its distinguished name.
        sid: Its SID or empty.
        guid: Its objectGUID as text or empty.
        privileged: Whether the account is privileged.
        key_id: The key's SHA-256 in hex, or empty.
        message: What was seen, one sentence.
        evidence: Details by name.
        fingerprint: The same in every audit that finds the same thing; what a baseline accepts.
    """

    code: Code
    severity: Severity
    account: str
    dn: str
    message: str
    fingerprint: str
    sid: str = ""
    guid: str = ""
    privileged: bool = False
    key_id: str = ""
    evidence: dict[str, str] = field(default_factory=dict)


def fingerprint(*parts: bytes | str) -> str:
    """128 bits in hex over parts that identify a finding."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(4, "big") + data)
    return hasher.hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where plenty begins.

    Attributes:
        key_age_days: Keys older than this are stale.
        unused_days: Keys and accounts not used for longer than this are.
        keys_per_user: More Windows Hello keys than this are more than a person plausibly has.
    """

    key_age_days: int = 3 * 365
    unused_days: int = 365
    keys_per_user: int = 10


class Vendor(StrEnum):
    """Whose domain controllers have to accept the keys."""

    SAMBA = "samba"
    WINDOWS = "windows"


@dataclass(frozen=True, slots=True)
class Scope:
    """What was audited, against what, and when.

    Attributes:
        subject: The dump's file name or the domain's DNS name.
        cloud: Name of the key source; empty when none was given.
        devices: Where the devices were known from; empty when they were not.
        made_at: When (aware, UTC).
    """

    subject: str
    cloud: str
    devices: str
    made_at: datetime
