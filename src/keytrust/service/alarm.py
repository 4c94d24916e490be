"""Telling of values that appeared in the domain and that this journal did not write."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from keytrust.audit.devices import Device
from keytrust.audit.model import Severity
from keytrust.credential import KeyCredential, KeySource
from keytrust.directory.replication import Origin
from keytrust.errors import DirectoryError
from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.journal_queries import removed_last
from keytrust.service.link import Linked
from keytrust.service.mirror import NewValue
from keytrust.service.planning import claimants
from keytrust.service.unexpected import MOST_QUESTIONS, Inquiry, Opinion, judge_value
from keytrust.sync.chain import value_id
from keytrust.sync.journal import Journal
from keytrust.sync.model import AccountRef
from keytrust.sync.stored import StoredKey, binary_part
from keytrust.sync.trace import value_digest

_REPLICATION = timedelta(minutes=1)
"""A value that we removed so short a time ago may still be seen on another domain controller."""


class Alarm:
    """Judges new values of one domain and tells of them.

    Args:
        duty: The domain.
        link: The directory, for evidence.
        journal: Knows what is ours.
    """

    def __init__(self, duty: Duty, link: Linked, journal: Journal) -> None:
        self._duty = duty
        self._link = link
        self._journal = journal

    def judge(self, new_values: Iterable[NewValue]) -> None:
        """Tell of each that is not ours: as unexpected when something speaks against it, else as foreign."""
        evidence = MOST_QUESTIONS
        with Inquiry(self._duty.source) as inquiry:
            for new in new_values:
                if self._is_ours(new):
                    continue
                opinion = self._opinion(new, inquiry)
                origin = None
                if opinion.findings and evidence > 0:
                    evidence -= 1
                    origin = self._origin(new)
                self._tell(new, opinion, origin)

    def _is_ours(self, new: NewValue) -> bool:
        """Whether we wrote it. One that we removed since, and that is back, was put back by somebody."""
        if self._journal.wrote(new.account.guid, new.raw) is None:
            return False
        with self._duty.reading() as connection:
            removed = removed_last(connection, value_id(new.account.guid, new.raw))
        return removed is None or removed > datetime.now(UTC) - _REPLICATION

    def _opinion(self, new: NewValue, inquiry: Inquiry) -> Opinion:
        account, now = new.account, int(time.time())
        stored = StoredKey.read(new.raw)
        with self._duty.reading() as connection:
            users = {
                user.id: user
                for user in claimants(connection, self._duty.mirror, {account.source_anchor}, {account.sid})
            }
        devices = self._devices(stored.credential)
        findings = judge_value(account, new.raw, list(users.values()), devices, now)
        if not findings or not stored.serves or account.computer:
            return Opinion(findings)
        user = inquiry.user(account)
        if user is None:
            return Opinion(findings)
        return Opinion(
            judge_value(account, new.raw, list((users | {user.id: user}).values()), devices, now), asked=True
        )

    def _devices(self, credential: KeyCredential | None) -> list[Device]:
        """The device behind a key that says it was registered with Active Directory itself."""
        identifier = credential.device_id if credential is not None and credential.source == KeySource.AD else None
        if identifier is None or not identifier.int:
            return []
        try:
            device = self._link.device(identifier)
        except DirectoryError:
            return []  # then nothing vouches for the key, and it is told: too much rather than too little
        return [] if device is None else [device]

    def _origin(self, new: NewValue) -> Origin | None:
        try:
            return self._link.origin(new.account.guid, bytes.fromhex(binary_part(new.raw).decode("ascii", "replace")))
        except (DirectoryError, ValueError):
            return None  # evidence only: the value is told without

    def _tell(self, new: NewValue, opinion: Opinion, origin: Origin | None) -> None:
        stored = StoredKey.read(new.raw)
        kind = EventKind.UNEXPECTED_VALUE if opinion.findings else EventKind.FOREIGN_VALUE
        sentence = f"{new.account.name} holds a key that keytrust did not write: {opinion.sentence}."
        told: dict[str, Any] = {
            "value": new.raw.decode("utf-8", "backslashreplace"),
            "valueDigest": value_digest(new.raw),
            "keyId": stored.key_id.hex() if stored.key_id else None,
            "ngc": stored.serves,
            "server": self._link.place("").server,
            "severity": (Severity.INFO if not opinion.findings else opinion.severity).value,
            "findings": sorted({finding.code.value for finding in opinion.findings}),
        }
        if origin is not None:
            told |= {
                "originServer": origin.controller or None,
                "originTime": origin.at.isoformat() if origin.at is not None else None,
                "originExact": origin.exact,
            }
        self._duty.tell(kind, sentence, AccountRef.of(new.account), **told)
