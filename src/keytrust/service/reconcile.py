"""A complete read of both sides beside the feeds; what is out of step goes on the worklist, behind the changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.link import Link
from keytrust.service.loading import load_accounts, load_users
from keytrust.service.mirror import NewValue
from keytrust.service.suspects import suspects
from keytrust.service.watch import changed_since
from keytrust.service.worklist import Priority

_MOST_NEW_VALUES = 1000
_PART = 5000


@dataclass(slots=True)
class ReadProgress:
    """How far a complete read has got, for people; read by other threads."""

    stage: str = ""
    done: int = 0


class Reconciler:
    """Reads both sides of one domain.

    Args:
        duty: The domain.
        link: The directory, for this thread alone.
        found_work: Called when there is something to look at.
        new_values: Told the values that appeared since the last complete read, which no feed has brought.
    """

    def __init__(
        self, duty: Duty, link: Link, found_work: Callable[[], None], new_values: Callable[[list[NewValue]], None]
    ) -> None:
        self._duty = duty
        self._link = link
        self._found_work = found_work
        self._new_values = new_values
        self.progress = ReadProgress()

    def run(self) -> None:
        """Read everything once.

        Raises:
            CloudError, DirectoryError, StoreError: it did not complete. What was there before is still good.
        """
        try:
            self._read()
        finally:
            self.progress.stage = ""
            self._link.drop()

    def _read(self) -> None:
        duty, began = self._duty, time.monotonic()
        first, stamp = self._begin()
        self.progress.stage = "registered keys"
        users = load_users(duty, duty.source.read(), stamp, self._count)
        self.progress.stage = "accounts"
        appeared: list[NewValue] = []

        def new_value(new: NewValue) -> None:
            if not first and len(appeared) < _MOST_NEW_VALUES:
                appeared.append(new)

        accounts = load_accounts(duty, self._link.domain.accounts(), stamp, self._count, new_value)
        self.progress.stage = "comparing"
        found = self._suspect()
        with duty.writing() as connection:
            duty.mirror.save(connection, rebuilt=datetime.now(UTC).isoformat())
        seconds = time.monotonic() - began
        duty.tell(
            EventKind.RECONCILED,
            f"Read {users} users and {accounts} accounts in {seconds:.1f} s; {found} accounts have to be looked at.",
            users=users,
            accounts=accounts,
            suspects=found,
            seconds=round(seconds, 2),
        )
        self._new_values(appeared)
        self._found_work()

    def _begin(self) -> tuple[bool, int]:
        """Number the read, and have both feeds begin before it: what changes during it is brought by them."""
        duty = self._duty
        with duty.reading() as connection:
            header = duty.mirror.header(connection)
        cursors: dict[str, object] = {}
        if header["cloud_cursor"] is None:
            cursors["cloud_cursor"] = duty.source.latest()
        if header["directory_cursor"] is None:
            domain = self._link.domain
            with domain.session() as session:
                cursors["directory_cursor"] = changed_since(domain, session, None).cursor
        stamp = header["stamp"] + 1
        with duty.writing() as connection:
            duty.mirror.save(connection, stamp=stamp, **cursors)
        return header["rebuilt"] is None, stamp

    def _suspect(self) -> int:
        duty, found = self._duty, 0
        with duty.reading() as connection:
            guids = iter(sorted(set(suspects(connection, duty.mirror, duty.policy))))
        while part := list(islice(guids, _PART)):
            with duty.writing() as connection:
                found += duty.worklist.add(connection, part, time.time(), Priority.RECONCILE)
        return found

    def _count(self, done: int) -> None:
        self.progress.done = done
        if self._duty.stopping():
            raise StopReadingError


class StopReadingError(Exception):
    """The term ended during a complete read."""
