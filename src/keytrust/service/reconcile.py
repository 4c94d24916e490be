"""A complete read of both sides beside the feeds; what is out of step goes on the worklist, behind the changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.interleaving import Read, StopReadingError
from keytrust.service.link import Link
from keytrust.service.loading import STORED, Loader
from keytrust.service.reading import Opener, ReadingApart
from keytrust.service.suspects import Suspicion, suspects
from keytrust.service.watch import changed_since
from keytrust.service.worklist import Priority

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
        openers: How the two sides are read: ``users`` and ``accounts``.
        read: By what.
    """

    def __init__(
        self,
        duty: Duty,
        link: Link,
        found_work: Callable[[], None],
        openers: dict[str, Opener],
        read: Read = ReadingApart,
    ) -> None:
        self._openers = openers
        self._read_side = read
        self._duty = duty
        self._link = link
        self._found_work = found_work
        self.progress = ReadProgress()

    def run(self) -> None:
        """Read everything once.

        Raises:
            CloudError, DirectoryError, StoreError: it did not complete. What was there before is still good.
        """
        try:
            self._read()
        except StopReadingError:
            return  # the next term reads everything first
        finally:
            self.progress.stage = ""
            self._link.drop()

    def _read(self) -> None:
        duty, began = self._duty, time.monotonic()
        first, stamp = self._begin()
        self.progress.stage = "reading"
        loader = Loader(duty, stamp, first=first, read=self._read_side, progress=self._count)
        counts = loader.load(self._openers)
        users, accounts = counts["users"], counts["accounts"]
        self.progress.stage = "comparing"
        found = self._suspect()
        with duty.writing() as connection:
            duty.mirror.save(connection, rebuilt=datetime.now(UTC).isoformat())
        seconds = time.monotonic() - began
        sentence = (
            f"Read {users} users and {accounts} accounts in {seconds:.1f} s; {found} accounts have to be looked at."
        )
        if loader.unjudged:
            sentence += f" {loader.unjudged} more hold new values than are judged one by one: run keytrust audit."
        duty.tell(
            EventKind.RECONCILED,
            sentence,
            users=users,
            accounts=accounts,
            suspects=found,
            unjudged=loader.unjudged,
            seconds=round(seconds, 2),
        )
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
        guids = iter(sorted(out_of_step(duty)))
        while part := list(islice(guids, _PART)):
            with duty.writing() as connection:
                found += duty.worklist.add(connection, part, time.time(), Priority.RECONCILE)
        return found

    def _count(self, side: str, done: int) -> None:
        if side == STORED:
            self.progress.stage = "storing"
        if side in (STORED, "accounts"):
            self.progress.done = done
        if self._duty.stopping():
            raise StopReadingError


def out_of_step(duty: Duty) -> set[bytes]:
    """The accounts whose plan may be anything but empty, found by two threads."""

    def half(kind: Suspicion) -> set[bytes]:
        with duty.reading() as connection:
            return set(suspects(connection, duty.mirror, duty.policy, kind))

    with ThreadPoolExecutor(2, thread_name_prefix="compare") as threads:
        return set().union(*threads.map(half, Suspicion))
