"""The feeds: what changed in the cloud, and what changed in the domain, brought into mirror and worklist.

Each is one poll. A change, the work that follows from it and the cursor behind it are one transaction: whatever kills
the process, nothing is skipped, and what is read twice costs a second look.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection

from keytrust.cloud.delta import Changes
from keytrust.directory.session import Session
from keytrust.errors import DirectoryError
from keytrust.service.duty import Duty
from keytrust.service.link import Link
from keytrust.service.source import AuditedSource
from keytrust.service.watch import Watched, changed_since
from keytrust.service.worklist import Priority

_CURSOR_AGE = 3600.0
"""An unchanged feed's cursor is stored this often, seconds: some live for days only."""


class CloudFeed:
    """Users whose keys or identity changed.

    Args:
        duty: The domain.
        found_work: Called when there is something to look at.
        lost_track: Called when changes may have been missed, so that both sides have to be read completely.
    """

    def __init__(self, duty: Duty, found_work: Callable[[], None], lost_track: Callable[[], None]) -> None:
        self._duty = duty
        self._found_work = found_work
        self._lost_track = lost_track
        self._cursor: str | None = None
        self._stored_at = 0.0

    def poll(self) -> None:
        """Ask once.

        Raises:
            CloudError, StoreError: it could not be asked, or what it said could not be kept; nothing is lost.
        """
        duty = self._duty
        if self._cursor is None:
            with duty.reading() as connection:
                header = duty.mirror.header(connection)
            if header["rebuilt"] is None:
                return  # the complete read that has to come first has the mirror to itself
            self._cursor = header["cloud_cursor"]
        changes = duty.source.changes(self._cursor)
        aged = time.monotonic() - self._stored_at > _CURSOR_AGE
        if not (changes.users or changes.removed or changes.everybody or aged):
            self._cursor = changes.cursor
            return
        with duty.writing() as connection:
            affected = _taken_in(duty, connection, changes)
            duty.mirror.save(connection, cloud_cursor=changes.cursor)
        self._cursor, self._stored_at = changes.cursor, time.monotonic()
        if changes.everybody:
            self._lost_track()
        if affected:
            self._found_work()


class AuditFeed:
    """Users of whom the cloud's audit trail says that they registered or lost a key.

    Args:
        duty: The domain.
        source: Its key source.
        found_work: Called when there is something to look at.
    """

    def __init__(self, duty: Duty, source: AuditedSource, found_work: Callable[[], None]) -> None:
        self._duty = duty
        self._source = source
        self._audits = source.key_audits()
        self._found_work = found_work

    def poll(self) -> None:
        """Ask once.

        Raises:
            CloudError, StoreError: it could not be asked, or what it said could not be kept; nothing is lost.
        """
        duty = self._duty
        with duty.reading() as connection:
            if duty.mirror.header(connection)["rebuilt"] is None:
                return
        ids = self._audits.changed()
        affected: set[bytes] = set()
        if ids:
            changes = self._source.now(ids)
            with duty.writing() as connection:
                affected = _taken_in(duty, connection, changes)
        self._audits.taken()
        if affected:
            self._found_work()


def _taken_in(duty: Duty, connection: Connection, changes: Changes) -> set[bytes]:
    """Put changes into the mirror, and the accounts concerned on the worklist; these."""
    stamp = duty.mirror.header(connection)["stamp"]
    affected = duty.mirror.put_users(connection, changes.users, stamp)
    affected |= duty.mirror.drop_users(connection, changes.removed, stamp)
    duty.worklist.add(connection, affected, time.time(), Priority.CHANGE)
    return affected


class DirectoryFeed:
    """Accounts whose values or identity changed; arguments as for ``CloudFeed``."""

    def __init__(self, duty: Duty, link: Link, found_work: Callable[[], None], lost_track: Callable[[], None]) -> None:
        self._duty = duty
        self._link = link
        self._found_work = found_work
        self._lost_track = lost_track
        self._session: Session | None = None
        self._cursor: bytes | None = None
        self._stored_at = 0.0

    def poll(self) -> None:
        """Ask once.

        Raises:
            DirectoryError, StoreError: it could not be asked, or what it said could not be kept; nothing is lost.
        """
        duty = self._duty
        if self._cursor is None:
            with duty.reading() as connection:
                header = duty.mirror.header(connection)
            if header["rebuilt"] is None:
                return
            self._cursor = header["directory_cursor"]
        kept = self._session is not None
        try:
            watched = self._ask(self._cursor)
        except DirectoryError:
            if not kept:
                raise
            # Domain controllers end connections now and then, those whose ticket has run out for one: no fault yet.
            watched = self._ask(self._cursor)
        aged = time.monotonic() - self._stored_at > _CURSOR_AGE
        if not (watched.guids or watched.lost or aged):
            self._cursor = watched.cursor
            return
        with duty.writing() as connection:
            duty.worklist.add(connection, watched.guids, time.time(), Priority.CHANGE)
            duty.mirror.save(connection, directory_cursor=watched.cursor)
        self._cursor, self._stored_at = watched.cursor, time.monotonic()
        if watched.lost:
            self._lost_track()
        if watched.guids:
            self._found_work()

    def _ask(self, cursor: bytes | None) -> Watched:
        try:
            if self._session is None:
                self._session = self._link.domain.session()
            return changed_since(self._link.domain, self._session, cursor)
        except DirectoryError:
            self.close()
            raise

    def close(self) -> None:
        """Give up the connection; the next poll opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._link.drop()
