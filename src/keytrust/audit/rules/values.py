"""What values show by themselves and among each other on one account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keytrust.audit.model import AccountKind, Code, Finding, InspectedValue, Subject
from keytrust.audit.rules.context import FEK, FIDO, NGC, found

_ON_USERS = {NGC, FIDO, FEK}


def judge(subject: Subject, seen: Sequence[InspectedValue]) -> Iterator[Finding]:
    """The values' own issues, usages that do not fit, and duplicates."""
    for value in seen:
        for code, evidence in value.issues:
            yield found(code, subject, value, evidence)
        if value.readable and subject.kind is AccountKind.USER and value.usage not in _ON_USERS:
            usage = "no key usage" if value.usage is None else f"key usage {value.usage}"
            yield found(Code.UNEXPECTED_USAGE, subject, value, f"{usage} on a user; 1 (NGC) or 7 (FIDO) is expected")
    if subject.partial:
        yield found(Code.PARTIAL_VALUES, subject, None, f"only {len(seen):,} of its values are known")
    yield from _duplicates(subject, seen)


def _duplicates(subject: Subject, seen: Sequence[InspectedValue]) -> Iterator[Finding]:
    if len(seen) < 2:
        return
    keys: set[bytes] = set()
    owner_of_id: dict[bytes, bytes] = {}
    for value in seen:
        if value.public_id and value.public_id in keys:
            yield found(Code.DUPLICATE_KEY, subject, value, "the account holds this key in another value too")
        keys.add(value.public_id)
        if value.claimed_id and owner_of_id.setdefault(value.claimed_id, value.key_id) != value.key_id:
            message = f"another key of the account has the KeyID {value.claimed_id.hex()[:16]}… too"
            yield found(Code.DUPLICATE_KEY_ID, subject, value, message)
