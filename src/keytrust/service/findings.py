"""Conflicts and refusals as they stand, kept until the account is planned again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from keytrust.service.events import EventKind
from keytrust.service.mirror import Mirror, chunks
from keytrust.store.mirror_tables import findings as table
from keytrust.sync.model import AccountRef, Change, Conflict, Refusal, RefusalCode


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person has to see to."""

    code: str
    account: AccountRef
    key_id: bytes
    sentence: str

    @classmethod
    def of_conflict(cls, conflict: Conflict) -> Finding:
        """A disagreement between account and cloud user."""
        return cls(conflict.code.value, conflict.account, b"", conflict.sentence)

    @classmethod
    def of_refusal(cls, refusal: Refusal) -> Finding:
        """A registered key that is not written."""
        return cls(refusal.code.value, refusal.account, refusal.key_id, refusal.sentence)

    @property
    def event(self) -> EventKind:
        """How it is told."""
        return EventKind.VANISHING_VALUE if self.code == RefusalCode.VANISHING.value else EventKind.CONFLICT


def vanishing(change: Change, times: int) -> Refusal:
    """The refusal to write a key once more that does not last."""
    sentence = (
        f"{change.account.name}: key {change.key_id.hex()[:16]}… was written {times} times within a day and did not"
        " last; it is not written again for now. Somebody deletes it, or a domain controller does at sign-in"
        " (docs/service.md)."
    )
    return Refusal(RefusalCode.VANISHING, change.account, change.key_id, sentence)


def replace(connection: Connection, mirror: Mirror, guids: Iterable[bytes], found: Iterable[Finding]) -> list[Finding]:
    """Let these be the findings about these accounts; returns those that were not there before."""
    known: dict[tuple[bytes, str, bytes], str] = {}
    for chunk in chunks(sorted(guids)):
        these = (table.c.mirror == mirror.id) & table.c.guid.in_(chunk)
        for row in connection.execute(select(table).where(these)).mappings():
            known[row["guid"], row["code"], row["key_id"]] = row["since"]
        connection.execute(delete(table).where(these))
    now = datetime.now(UTC).isoformat()
    unique = {(each.account.guid, each.code, each.key_id): each for each in found}
    rows = [
        {
            "mirror": mirror.id,
            "guid": guid,
            "code": code,
            "key_id": key_id,
            "name": each.account.name,
            "sentence": each.sentence,
            "since": known.get((guid, code, key_id), now),
        }
        for (guid, code, key_id), each in unique.items()
    ]
    if rows:
        connection.execute(insert(table), rows)
    return [each for key, each in unique.items() if key not in known]
