"""Which values an operator has named for removal, and whether the reason still holds. Pure.

An audit removes what keytrust never wrote, so nothing is removed for being found: a person names it, by the kind of
finding, by one finding's fingerprint, or by one value's id.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from keytrust.audit.errors import AuditError
from keytrust.audit.model import Code, Finding, InspectedValue, Subject
from keytrust.audit.registered import RegisteredKeys
from keytrust.audit.rules import Registered

REMOVABLE = (
    Code.NOT_REGISTERED,
    Code.NO_CLOUD_USER,
    Code.TOOL_MARK,
    Code.KEY_ID_MISMATCH,
    Code.DISGUISED,
    Code.OTHERS_DEVICE,
    Code.COMPUTER_USER_KEY,
    Code.ROCA,
    Code.NO_DEVICE,
    Code.UNREADABLE_VALUE,
)
"""Findings that may be named as a kind. Others may be named one by one only."""

_BY_REGISTRATION = {Code.NOT_REGISTERED, Code.NO_CLOUD_USER}
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_VALUE = re.compile(r"[0-9a-f]{64}")


class Named(NamedTuple):
    """What the operator named."""

    codes: frozenset[Code] = frozenset()
    fingerprints: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.codes or self.fingerprints or self.values)

    @classmethod
    def parse(cls, names: Iterable[str]) -> Named:
        """Sort names into kinds of finding, fingerprints (32 hex digits) and value ids (64).

        Raises:
            ValueError: one is none of these.
        """
        codes, fingerprints, values = set(), set(), set()
        removable = {code.value: code for code in REMOVABLE}
        for name in names:
            text = name.strip().lower()
            if text in removable:
                codes.add(removable[text])
            elif _FINGERPRINT.fullmatch(text):
                fingerprints.add(text)
            elif _VALUE.fullmatch(text):
                values.add(text)
            else:
                raise ValueError(
                    f"{name!r} is neither a finding's fingerprint (32 hex digits), nor a value's id (64), nor one of: "
                    + ", ".join(removable)
                )
        return cls(frozenset(codes), frozenset(fingerprints), frozenset(values))


class Candidate(NamedTuple):
    """A value that was named.

    Attributes:
        subject: Whose.
        value: The value, with its raw bytes.
        reason: The finding by which it was named, or the worst about it; None for a value named by its id of which
            nothing was found.
    """

    subject: Subject
    value: InspectedValue
    reason: Finding | None


class Candidates:
    """Collects what was named while an audit runs: an observer of it."""

    def __init__(self, named: Named, accepted: Container[str] = ()) -> None:
        """With nothing named it collects everything that could be. ``accepted`` are a baseline's fingerprints."""
        self._named = named
        self._accepted = accepted
        self._found: list[Candidate] = []
        self._holders: defaultdict[str, list[str]] = defaultdict(list)
        self._seen: set[str] = set()

    def __call__(self, subject: Subject, value: InspectedValue, _: Registered, findings: Sequence[Finding]) -> None:
        identity = value.identity.hex()
        about = sorted((f for f in findings if f.evidence.get("value") == identity), key=lambda f: f.severity.rank)
        codes = self._named.codes if self._named else REMOVABLE
        if identity in self._named.values:
            self._holders[identity].append(subject.name)
            self._found.append(Candidate(subject, value, about[0] if about else None))
            return
        for finding in about:
            by_name = finding.fingerprint in self._named.fingerprints
            if by_name:
                self._seen.add(finding.fingerprint)
            if by_name or (finding.code in codes and finding.fingerprint not in self._accepted):
                self._found.append(Candidate(subject, value, finding))
                return

    def finish(self) -> list[Candidate]:
        """What was named, when everything has been seen.

        Raises:
            AuditError: a name names nothing, or a value that several accounts hold.
        """
        missing = sorted((self._named.fingerprints - self._seen) | (self._named.values - set(self._holders)))
        if missing:
            raise AuditError(
                f"Nothing in this domain has the name {missing[0]}"
                + (f", nor {len(missing) - 1} more of those that were given." if len(missing) > 1 else "."),
                not_done="Nothing was changed.",
                remedy="Take names from a fresh audit of this domain: keytrust audit --fix --dry-run lists them.",
            )
        for identity, names in self._holders.items():
            if len(names) > 1:
                raise AuditError(
                    f"{len(names)} accounts hold the value {identity}: {', '.join(names[:5])}.",
                    not_done="Nothing was changed.",
                    remedy="Name the finding's fingerprint, which is of one account.",
                )
        return self._found


def still_unregistered(candidate: Candidate, registered: RegisteredKeys) -> bool:
    """Whether the reason of a candidate holds by a reading of the cloud that is newer than that of the directory.

    A key that was registered, and written, while the audit ran looks planted to it. Other reasons do not depend on it.
    """
    if candidate.reason is None or candidate.reason.code not in _BY_REGISTRATION:
        return True
    registration = registered.of(candidate.subject)
    value = candidate.value
    return not registration.unknown and not {value.key_id, value.public_id} & registration.keys
