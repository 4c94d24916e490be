"""What is told, as data; and which of many events are told at all. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from keytrust.directory.account import guid_text
from keytrust.service.events import Event, EventKind

MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell.

    Attributes:
        event: What happened.
        repeated: How often the same happened since it was last told.
    """

    event: Event
    repeated: int = 0

    def fields(self, instance: str) -> dict[str, Any]:
        """As JSON-ready data."""
        event, account = self.event, self.event.account
        named = (
            None
            if account is None
            else {"name": account.name, "dn": account.dn, "sid": account.sid, "guid": guid_text(account.guid)}
        )
        return {
            "kind": event.kind.value,
            "domain": event.domain,
            "sentence": event.sentence,
            "at": event.at.isoformat(),
            "instance": instance,
            "repeated": self.repeated,
            "account": named,
            "data": dict(event.data),
        }


@dataclass(slots=True)
class Gate:
    """Lets an event through once in a while, and counts what it keeps back.

    Attributes:
        kinds: What is told.
        seconds: The same thing is let through again after so long.
    """

    kinds: Iterable[EventKind]
    seconds: float
    _told: OrderedDict[tuple[object, ...], tuple[float, int]] = field(default_factory=OrderedDict)

    def pass_on(self, event: Event, now: float) -> Alert | None:
        """The alert for an event, or None. ``now`` is of a clock that never goes back."""
        if event.kind not in frozenset(self.kinds):
            return None
        key = _identity(event)
        told, repeated = self._told.get(key, (None, 0))
        if told is not None and now - told < self.seconds:
            self._told[key] = (told, repeated + 1)
            return None
        self._told[key] = (now, 0)
        self._told.move_to_end(key)
        while len(self._told) > MOST_REMEMBERED:
            self._told.popitem(last=False)
        return Alert(event, repeated)


def _identity(event: Event) -> tuple[object, ...]:
    """What makes two events the same thing to a person."""
    account = event.account.guid if event.account else None
    return event.kind, event.domain, account, event.data.get("code"), event.data.get("keyId"), event.data.get("feed")
