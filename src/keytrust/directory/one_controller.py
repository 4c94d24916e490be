"""One domain controller and no other: for what must be read and changed there, whatever the others hold."""

from __future__ import annotations

import threading
from types import TracebackType

from keytrust.directory.domain import Domain
from keytrust.directory.session import Session


class OneController:
    """A context manager over connections to one domain controller: a ``keytrust.sync.writing.Directory``.

    Args:
        domain: Its domain, open.
        server: Its DNS name.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, domain: Domain, server: str, timeout: float) -> None:
        self._domain = domain
        self._server = server
        self._timeout = timeout
        self._reader: Session | None = None
        self._reading = threading.Lock()

    def __enter__(self) -> OneController:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def writer(self) -> Session:
        """A new connection for changes.

        Raises:
            DirectoryError: it could not be reached, verified or signed in to.
        """
        self._domain.sign_in()
        return self._domain.session_to(self._server, timeout=self._timeout)

    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]:
        """The key credential values of those of these accounts that it knows. Safe to call from several threads.

        Args:
            guids: The accounts.
            server: Left alone: there is but one to ask.

        Raises:
            DirectoryError: they could not be read.
        """
        with self._reading:
            if self._reader is None:
                self._reader = self.writer()
            return self._reader.values_of(self._domain.controller.domain, guids)
