"""The audit itself: takes one object after another, remembers little, and says at the end what needs them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keytrust.audit.census import Census
from keytrust.audit.holders import Holders, SharedKey
from keytrust.audit.model import Code, Finding, InspectedValue, Severity, Subject, fingerprint
from keytrust.audit.rules import Context, Registered, judge
from keytrust.audit.rules.context import FIDO, NGC
from keytrust.audit.spool import Findings
from keytrust.directory.account import guid_text

Observer = Callable[[Subject, InspectedValue, Registered, Sequence[Finding]], None]
"""Told each value with its state of registration and the findings about its account."""

_NAMED = 5
_LONG = 64


class Auditor:
    """One audit.

    Attributes:
        findings: What was found so far.
        census: What was seen so far.
    """

    def __init__(self, context: Context, findings: Findings, observer: Observer | None = None) -> None:
        self.context = context
        self.findings = findings
        self.census = Census()
        self._holders = Holders()
        self._observer = observer

    def take(self, subject: Subject, values: list[InspectedValue]) -> None:
        """Judge one object.

        Raises:
            AuditError: there are more keys than can be remembered.
        """
        found, states = judge(self.context, subject, values)
        about = list(found)
        for finding in about:
            self.findings.add(finding)
        context = self.context
        self.census.take(subject, values, states, about, context.devices, context.now)
        if values:
            self._holders.take(subject, values)
            if self._observer is not None:
                for value, state in zip(values, states, strict=True):
                    self._observer(subject, value, state, about)

    def finish(self) -> None:
        """Say what can be said only when all objects have been seen."""
        with self._holders as holders:
            for key in holders.shared():
                self.findings.add(_shared(key))


def _short(name: str) -> str:
    return name if len(name) <= _LONG else f"{name[:_LONG]}…"


def _shared(key: SharedKey) -> Finding:
    signs_in = key.usage in (NGC, FIDO)
    severity = Severity.CRITICAL if signs_in and key.privileged else Severity.HIGH if signs_in else Severity.MEDIUM
    names = ", ".join(_short(subject.name) for subject in key.shown[:_NAMED])
    more = f" and {key.accounts - _NAMED:,} more" if key.accounts > _NAMED else ""
    first = key.shown[0]
    return Finding(
        code=Code.SHARED_KEY,
        severity=severity,
        account=first.name,
        dn=first.dn,
        sid=first.sid,
        guid=guid_text(first.guid) if len(first.guid) == 16 else "",
        privileged=bool(key.privileged),
        key_id=key.public_id.hex(),
        message=f"the key is on {key.accounts:,} accounts: {names}{more}",
        evidence={"accounts": "; ".join(subject.dn for subject in key.shown)},
        # The accounts are part of it: a further account with the same key is news.
        fingerprint=fingerprint(Code.SHARED_KEY, key.public_id, key.holders()),
    )
