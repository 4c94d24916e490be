"""Keys that come and go beside a running service."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf

from tests.support.running import RunningService

from keytrust.lab import LabUser

NO_LIMITS = {
    "policy": {
        "removal_limit": 100_000,
        "removal_share": 1.0,
        "removal_limit_per_day": 100_000,
        "removal_share_per_day": 1.0,
    }
}


@dataclass
class Traffic:
    """Keys that come and go while the service is killed again and again; remembers what is registered.

    Attributes:
        users: Whose keys come and go.
        most: How many keys a user has at most: with them the whole does not grow, however long it goes on.
        registered: KeyIDs by account; those of others than ``users`` stay as they are.
    """

    service: RunningService
    users: list[LabUser]
    seconds_between: float = 0.15
    most: float = inf
    registered: dict[str, list[bytes]] = field(default_factory=dict)
    revoked: int = 0
    cleared: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        failed: list[BaseException] = []

        def flow() -> None:
            try:
                while not self._stop.wait(self.seconds_between * random.uniform(0.2, 1.8)):
                    self._something_happens()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=flow)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
        if failed:
            raise failed[0]

    def somebody_clears(self, user: LabUser) -> None:
        """Somebody else deletes all values of an account; from when to when is remembered, as the journal writes it."""
        began = datetime.now(UTC).isoformat()
        self.service.delete_values(user)
        self.cleared.setdefault(user.sam, []).append((began, datetime.now(UTC).isoformat()))

    def rightly_again(self, name: str, written: str, again: str) -> bool:
        """Whether somebody cleared the account between two writes of one key to it."""
        return any(ended > written and began < again for began, ended in self.cleared.get(name, []))

    def _something_happens(self) -> None:
        user = random.choice(self.users)
        full = len(self.registered.get(user.sam, [])) >= self.most
        if (full or random.random() < 0.4) and self._may_be_revoked(user):
            self.revoked += len(self.registered.pop(user.sam))
            self.service.revoke(user)
        elif not full:
            self.register(user)

    def register(self, user: LabUser) -> None:
        """A new device of the user registers a key."""
        key = self.service.register(user)
        self.registered.setdefault(user.sam, []).append(self.service.key_id(key))

    def count(self) -> int:
        """How many keys are registered."""
        return sum(map(len, list(self.registered.values())))

    def _may_be_revoked(self, user: LabUser) -> bool:
        """Whether the user has keys, and so few that no limit is reached: what is held back would look like a fault.

        The highest limit there is, all keys within a day, is one of as many as are there when it is judged.
        """
        keys = len(self.registered.get(user.sam, []))
        left = self.count() - keys
        return keys > 0 and self.revoked + keys < left / 2
