"""Telling of values that appeared in the domain and that this journal did not write."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from keytrust.audit.devices import Device
from keytrust.audit.model import Severity
from keytrust.credential import KeySource
from keytrust.directory.replication import Origin
from keytrust.errors import DirectoryError
from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.journal_queries import removed_last
from keytrust.service.link import Linked
from keytrust.service.mirror import NewValue
from keytrust.service.planning import claimants
from keytrust.service.unexpected import MOST_QUESTIONS, Inquiry, Opinion, inspected, judge_values
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
            for _, of_one in groupby(new_values, key=lambda new: new.account.guid):
                for new, opinion in self._opinions(self._not_ours(list(of_one)), inquiry):
                    origin = None
                    if opinion.findings and evidence > 0:
                        evidence -= 1
                        origin = self._origin(new)
                    self._tell(new, opinion, origin)

    def _not_ours(self, values: Sequence[NewValue]) -> list[NewValue]:
        """Those of one account's that we did not write. What we removed since, and is back, somebody has put back."""
        wrote = self._journal.wrote_to(values[0].account.guid, (new.raw for new in values))
        return [new for new in values if new.raw not in wrote or self._was_put_back(new)]

    def _was_put_back(self, new: NewValue) -> bool:
        with self._duty.reading() as connection:
            removed = removed_last(connection, value_id(new.account.guid, new.raw))
        return removed is not None and removed <= datetime.now(UTC) - _REPLICATION

    def _opinions(self, values: Sequence[NewValue], inquiry: Inquiry) -> Iterator[tuple[NewValue, Opinion]]:
        """What is thought of values of one account."""
        if not values:
            return
        account, now = values[0].account, int(time.time())
        with self._duty.reading() as connection:
            users = {
                user.id: user
                for user in claimants(connection, self._duty.mirror, {account.source_anchor}, {account.sid})
            }
        devices, seen = self._devices(new.raw for new in values), inspected(account)
        judged = judge_values(account, seen, list(users.values()), devices, now)
        doubtful = {new.raw for new in values if judged[new.raw] and StoredKey.read(new.raw).serves}
        asked = judged
        if doubtful and not account.computer and (user := inquiry.user(account)) is not None:
            users[user.id] = user
            asked = judge_values(account, seen, list(users.values()), devices, now)
        for new in values:
            again = asked is not judged and new.raw in doubtful
            yield new, Opinion((asked if again else judged)[new.raw], asked=again)

    def _devices(self, raws: Iterable[bytes]) -> list[Device]:
        """The devices behind keys that say they were registered with Active Directory itself."""
        credentials = (StoredKey.read(raw).credential for raw in raws)
        named = {each.device_id for each in credentials if each is not None and each.source == KeySource.AD}
        wanted = [identifier for identifier in named if identifier is not None and identifier.int]
        try:
            return self._link.devices(wanted)
        except DirectoryError:
            return []  # then nothing vouches for the keys, and they are told: too much rather than too little

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
