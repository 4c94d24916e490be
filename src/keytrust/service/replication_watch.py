"""Following what the service has written to the domain's other domain controllers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from keytrust.directory.replicas import replicas_of
from keytrust.directory.session import Session
from keytrust.errors import DirectoryError
from keytrust.service.duty import Duty
from keytrust.service.events import Event, EventKind
from keytrust.service.link import ONE_ANSWER_SECONDS, Link
from keytrust.sync.model import Action
from keytrust.sync.replication import Arrival, Overdue, Passed, Replication, Told, Written

POLL_SECONDS = 0.25
_KNOW_SECONDS = 300.0
_AT_ONCE = 8


class ReplicationWatch:
    """Watches one domain: a listener for its events, and a thing to be done again and again.

    Args:
        duty: The domain.
        link: The directory; this watch's own.
        lost: Told changes that will never arrive at a domain controller, by its name.
    """

    def __init__(self, duty: Duty, link: Link, lost: Callable[[str, Sequence[Written]], None]) -> None:
        self._duty = duty
        self._lost = lost
        self._link = link
        self._known_at: float | None = None
        self._sessions: dict[str, Session] = {}
        self._replication = Replication(self._ask)

    def __call__(self, event: Event) -> None:
        """Take a change in that was made."""
        if self._duty.stop.is_set():
            return
        key_id = event.data.get("keyId")
        if event.kind is EventKind.WRITTEN and event.domain == self._duty.domain and event.account and key_id:
            action, server = Action(str(event.data["action"])), str(event.data["server"])
            change = Written(event.account, bytes.fromhex(str(key_id)), action, server, time.monotonic())
            self._replication.watch(change)

    def poll(self) -> None:
        """Look once.

        Raises:
            DirectoryError: the domain's list of domain controllers cannot be read.
        """
        self._know()
        due = self._replication.due()
        if not due:
            return
        with ThreadPoolExecutor(min(_AT_ONCE, len(due)), thread_name_prefix="replicas") as threads:
            for host, told in zip(due, threads.map(self._replication.look, due), strict=True):
                self._tell(host, told)

    def close(self) -> None:
        """End all connections."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def state(self) -> list[dict[str, object]]:
        """How each domain controller fares."""
        return self._replication.state()

    def _know(self) -> None:
        now = time.monotonic()
        if self._known_at is not None and now - self._known_at < _KNOW_SECONDS:
            return
        try:
            domain = self._link.domain
            replicas = domain.ask(lambda session: replicas_of(session, domain.controller.domain))
        except Exception:
            self._link.drop()
            raise
        self._known_at = now
        # A single domain controller needs no watching, and a read-only one need not hold a user's keys.
        writable = [replica.host for replica in replicas if not replica.read_only]
        self._replication.know(writable if len(writable) > 1 else ())

    def _ask(self, host: str, guids: Sequence[bytes]) -> Mapping[bytes, Sequence[bytes]]:
        domain = self._link.domain
        session = self._sessions.get(host)
        try:
            if session is None:
                session = self._sessions[host] = domain.session_to(host, timeout=ONE_ANSWER_SECONDS)
            return session.values_of(domain.controller.domain, guids)
        except DirectoryError:
            kept = self._sessions.pop(host, None)
            if kept is not None:
                kept.close()
            raise

    def _tell(self, host: str, told: Sequence[Told]) -> None:
        for each in told:
            if isinstance(each, Arrival):
                self._duty.tell(
                    EventKind.ARRIVED,
                    f"{each.change.account.name}: the change has arrived at {host}.",
                    each.change.account,
                    server=host,
                    seconds=round(each.seconds, 3),
                    keyId=each.change.key_id.hex(),
                )
        lost = [each.change for each in told if isinstance(each, Passed)]
        if lost:
            self._lost(host, lost)
        late = [each for each in told if isinstance(each, Overdue)]
        if late:
            first = late[0]
            why = f": {first.fault}" if first.fault else "."
            name = first.change.account.name
            self._duty.tell(
                EventKind.NOT_REPLICATED,
                f"{len(late)} changes have not arrived at {host} in time, the first for {name}{why}",
                feed=host,
                server=host,
                changes=len(late),
            )
