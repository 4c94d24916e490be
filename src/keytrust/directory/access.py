"""Signing in to a domain, at whichever of its domain controllers serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ldap.controls import LDAPControl

from keytrust.directory.connection import connect, needs_ticket
from keytrust.directory.kerberos import ticket_cache
from keytrust.directory.servers import Servers
from keytrust.directory.session import Session
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import DirectoryError

_FRESH = 300.0
"""Seconds for which a ticket counts as fresh: domains give them for hours, and at the least for ten minutes."""


class Access:
    """Opens sessions. Those that it opens end with whoever asked; its tickets end with ``cleanup``.

    Attributes:
        servers: The candidates, and which of them failed.
    """

    def __init__(self, settings: DirectorySettings, servers: Servers, cleanup: ExitStack) -> None:
        self._settings = settings
        self._cleanup = cleanup
        self._cache: Path | None = None
        self._signed_in = float("-inf")
        self.servers = servers

    def sign_in(self) -> None:
        """Have a ticket that is fresh, where signing in goes by Kerberos.

        When a domain controller has just failed its KDC has too, and finding that out takes the Kerberos library
        longer than anything else. So a ticket that was got a short while ago is not got again.

        Raises:
            DirectoryError: no ticket was given.
        """
        if needs_ticket(self._settings) and time.monotonic() - self._signed_in > _FRESH:
            self._cache = self._cleanup.enter_context(
                ticket_cache(self._settings, self.servers.order(), self.servers.failed)
            )
            self._signed_in = time.monotonic()

    def open(
        self, search_controls: Sequence[LDAPControl] = (), *, unfit: Callable[[Session], str] | None = None
    ) -> Session:
        """A new connection to the first candidate that answers.

        Args:
            search_controls: Go with every search.
            unfit: Says in a sentence why a domain controller cannot be used, and nothing when it can.

        Raises:
            DirectoryError: there is none; one's cause is told, or that of each.
        """
        faults: list[DirectoryError] = []
        for server in self.servers.order():
            try:
                session = self.open_to(server, search_controls)
            except DirectoryError as error:
                faults.append(error)
                continue
            try:
                why = unfit(session) if unfit is not None else ""
            except DirectoryError as error:
                session.close()
                self.servers.failed(server)
                faults.append(error)
                continue
            if not why:
                self.servers.used(server)
                return session
            session.close()
            faults.append(
                DirectoryError(
                    why,
                    not_done="Nothing was changed.",
                    remedy="Name a writable domain controller of the domain in servers.",
                )
            )
        if len(faults) == 1:
            raise faults[0]
        raise DirectoryError(
            f"None of {len(faults)} domain controllers could be used: " + " ".join(f.message for f in faults),
            not_done="Nothing was read or changed.",
            remedy=faults[0].remedy if faults else "Name a domain controller in servers.",
            detail="\n".join(f.detail for f in faults if f.detail),
        )

    def open_to(
        self, server: str, search_controls: Sequence[LDAPControl] = (), *, timeout: float | None = None
    ) -> Session:
        """A new connection to this one domain controller, whether or not it is a candidate.

        Raises:
            DirectoryError: it could not be reached, verified or signed in to.
        """
        settings = self._settings if timeout is None else self._settings.model_copy(update={"timeout": timeout})
        try:
            connection = connect(settings, server, self._cache)
        except DirectoryError:
            self.servers.failed(server)
            raise
        return Session(
            connection,
            server,
            settings.page_size,
            settings.timeout,
            search_controls,
            silent=lambda: self.servers.failed(server),
        )
