"""What is wrong with a key credential: verification, apart from reading ([MS-ADTS] 2.2.20)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.identifiers import ENTRY_NAMES, EntryId, KeySource, KeyUsage
from keytrust.credential.layout import VERSION_2
from keytrust.credential.material import parse_material
from keytrust.credential.times import KeyTime

if TYPE_CHECKING:
    from keytrust.credential.key_credential import KeyCredential


class ProblemCode(StrEnum):
    """Stable names of what can be wrong with a key credential."""

    OLD_VERSION = "old-version"
    MISSING_ENTRY = "missing-entry"
    DUPLICATE_ENTRY = "duplicate-entry"
    UNKNOWN_ENTRY = "unknown-entry"
    OUT_OF_ORDER = "out-of-order"
    BAD_LENGTH = "bad-length"
    KEY_ID_MISMATCH = "key-id-mismatch"
    KEY_HASH_MISMATCH = "key-hash-mismatch"
    UNREADABLE_MATERIAL = "unreadable-material"
    UNKNOWN_USAGE = "unknown-usage"
    UNKNOWN_SOURCE = "unknown-source"
    UNKNOWN_CUSTOM_KEY_INFORMATION = "unknown-custom-key-information"
    ODD_TIME = "odd-time"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a key credential.

    Attributes:
        code: Its stable name.
        message: A sentence for people.
        entry: The identifier of the entry concerned; None if it is the whole value.
    """

    code: ProblemCode
    message: str
    entry: int | None = None


_LENGTHS = {
    EntryId.KEY_HASH: 32,
    EntryId.KEY_USAGE: 1,
    EntryId.KEY_SOURCE: 1,
    EntryId.DEVICE_ID: 16,
    EntryId.LAST_LOGON: 8,
    EntryId.CREATED: 8,
}
_REQUIRED = (EntryId.KEY_ID, EntryId.KEY_HASH, EntryId.KEY_MATERIAL, EntryId.KEY_USAGE, EntryId.CREATED)
_PLAUSIBLE_YEARS = range(2014, 2100)  # the first Windows 10 preview is of October 2014
_TICKS_IN_TWO_DAYS = 2 * 864_000_000_000


def find_problems(credential: KeyCredential) -> tuple[Problem, ...]:
    """List everything that is wrong with ``credential``, structure first; ``()`` if nothing is."""
    return (*_structure(credential), *_hashes(credential), *_contents(credential))


def is_fido_credential_id(key_id: bytes, material: bytes) -> bool:
    """Whether a KeyID is the credential id of FIDO key material, which it is there instead of a hash."""
    if not material.startswith(b"{"):
        return False
    try:
        fido = parse_material(material).fido
    except KeyCredentialError:
        return False
    return fido is not None and fido.credential_id == key_id


def _name(identifier: int) -> str:
    known = ENTRY_NAMES.get(EntryId(identifier)) if identifier in _KNOWN else None
    return known or f"entry {identifier}"


_KNOWN = frozenset(map(int, EntryId))


def _structure(credential: KeyCredential) -> Iterator[Problem]:
    if credential.version != VERSION_2:
        yield Problem(
            ProblemCode.OLD_VERSION,
            f"the value has version 0x{credential.version:x}, which no domain controller uses now",
        )
    identifiers = [identifier for identifier, _ in credential.entries]
    counts = Counter(identifiers)
    for required in _REQUIRED:
        if required not in counts:
            yield Problem(ProblemCode.MISSING_ENTRY, f"{_name(required)} is missing", required)
    for identifier in sorted(counts):
        if counts[identifier] > 1:
            message = f"{_name(identifier)} is there {counts[identifier]} times"
            yield Problem(ProblemCode.DUPLICATE_ENTRY, message, identifier)
        if identifier not in _KNOWN:
            message = f"entry {identifier} is not known; Samba rejects the value for it"
            yield Problem(ProblemCode.UNKNOWN_ENTRY, message, identifier)
    if identifiers != sorted(identifiers):
        yield Problem(ProblemCode.OUT_OF_ORDER, "the entries are not in increasing order")
    yield from _lengths(credential)


def _lengths(credential: KeyCredential) -> Iterator[Problem]:
    for identifier, expected in _LENGTHS.items():
        value = credential.value(identifier)
        if value is not None and len(value) != expected:
            message = f"{_name(identifier)} has {len(value)} bytes instead of {expected}"
            yield Problem(ProblemCode.BAD_LENGTH, message, identifier)
    information = credential.value(EntryId.CUSTOM_KEY_INFORMATION)
    if information is not None and len(information) < 2:
        message = f"CustomKeyInformation has {len(information)} bytes, at least 2 are needed"
        yield Problem(ProblemCode.BAD_LENGTH, message, EntryId.CUSTOM_KEY_INFORMATION)


def _hashes(credential: KeyCredential) -> Iterator[Problem]:
    key_id, material = credential.key_id, credential.key_material
    if (
        key_id is not None
        and material is not None
        and credential.computed_key_id != key_id
        and not is_fido_credential_id(key_id, material)
    ):
        message = "KeyID is not the SHA-256 of the key material"
        yield Problem(ProblemCode.KEY_ID_MISMATCH, message, EntryId.KEY_ID)
    rest = credential.after(EntryId.KEY_HASH)
    if rest is not None and credential.key_hash != sha256(rest).digest():
        message = "KeyHash is not the SHA-256 of the bytes that follow it: the value was changed or badly made"
        yield Problem(ProblemCode.KEY_HASH_MISMATCH, message, EntryId.KEY_HASH)


def _contents(credential: KeyCredential) -> Iterator[Problem]:
    material = credential.key_material
    if material is not None:
        try:
            parse_material(material)
        except KeyCredentialError as error:
            yield Problem(ProblemCode.UNREADABLE_MATERIAL, str(error), EntryId.KEY_MATERIAL)
    usage, source, information = credential.usage, credential.source, credential.custom_key_information
    if usage is not None and not isinstance(usage, KeyUsage):
        yield Problem(ProblemCode.UNKNOWN_USAGE, f"the key usage {usage} is not known", EntryId.KEY_USAGE)
    if source is not None and not isinstance(source, KeySource):
        yield Problem(ProblemCode.UNKNOWN_SOURCE, f"the key source {source} is not known", EntryId.KEY_SOURCE)
    if information is not None and information.version not in (None, 1):
        message = f"CustomKeyInformation has the version {information.version}, only 1 is known"
        yield Problem(ProblemCode.UNKNOWN_CUSTOM_KEY_INFORMATION, message, EntryId.CUSTOM_KEY_INFORMATION)
    last_logon, created = credential.last_logon, credential.created
    if last_logon is not None and not _is_never(last_logon) and not _is_plausible(last_logon):
        yield Problem(ProblemCode.ODD_TIME, f"the last logon time is absurd: {last_logon}", EntryId.LAST_LOGON)
    if created is not None and not _is_plausible(created):
        yield Problem(ProblemCode.ODD_TIME, f"the creation time is absurd: {created}", EntryId.CREATED)


def _is_never(time: KeyTime) -> bool:
    """Whether it is one of the ways to say "never": 0, or year 1 moved by the writer's own time zone."""
    return time.raw == 0 or abs(time.ticks) < _TICKS_IN_TWO_DAYS


def _is_plausible(time: KeyTime) -> bool:
    moment = time.datetime()
    return moment is not None and moment.year in _PLAUSIBLE_YEARS
