"""One Active Directory domain, reached through whichever of its configured domain controllers answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TypeVar

import ldap
import ldap.dn
import ldap.filter
from ldap.controls import LDAPControl

from keytrust.credential import Dialect
from keytrust.directory import srv
from keytrust.directory.access import Access
from keytrust.directory.account import KEY_LINK, Account, filter_for, sid_text
from keytrust.directory.controller import KEY_TRUST_LEVEL, DomainController
from keytrust.directory.replicas import replicas_of
from keytrust.directory.servers import Servers
from keytrust.directory.session import Session
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import DirectoryError

Found = TypeVar("Found")

NORMAL_USER_ACCOUNT = 805306368
"""sAMAccountType of users, inetOrgPerson included ([MS-SAMR] 2.2.1.9)."""

PLANNED_FOR = f"(|(sAMAccountType={NORMAL_USER_ACCOUNT})({KEY_LINK}=*))"
"""Users, and whatever else holds a key: a key must be known on any object before it is given to another."""


class Domain:
    """A context manager; on entry it has found a domain controller that answers and signed in to it.

    Attributes:
        controller: The domain controller in use.
        sid: The domain's SID, by which a saved plan knows its domain again.
    """

    controller: DomainController
    sid: str

    def __init__(self, settings: DirectorySettings) -> None:
        self.settings = settings
        self._cleanup = ExitStack()
        self._servers = Servers(settings.servers)
        self._access = Access(settings, self._servers, self._cleanup)
        self._reader: Session | None = None
        self._reading = threading.Lock()

    def __enter__(self) -> Domain:
        """Sign in.

        Raises:
            DirectoryError: no server could be reached or signed in to.
        """
        with ExitStack() as stack:
            self._cleanup = stack
            self._access = Access(self.settings, self._servers, stack)
            self._find_servers()
            self._access.sign_in()
            session = self._reader = stack.enter_context(self._first_session())
            self.controller = session.controller()
            self._check_name()
            self.sid = self._domain_sid(session)
            if len(self._servers) == 1:
                self._learn_servers(session)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._reader = None
        self._cleanup.close()

    @property
    def name(self) -> str:
        """The domain's DNS name."""
        parts = ldap.dn.str2dn(self.controller.domain)
        return ".".join(component[1] for rdn in parts for component in rdn)

    @property
    def dialect(self) -> Dialect:
        """The form in which to write key credentials here."""
        return self.controller.dialect(self.settings.dialect)

    def session(self, search_controls: Sequence[LDAPControl] = ()) -> Session:
        """A new connection to the domain controller in use, else to the next that answers.

        Args:
            search_controls: Go with every search.

        Raises:
            DirectoryError: none does; one server's cause is told, or that of each.
        """
        return self._access.open(search_controls)

    def session_to(self, server: str, *, timeout: float | None = None) -> Session:
        """A new connection to this one domain controller, whether or not it is configured.

        Args:
            server: Its DNS name.
            timeout: Seconds to wait for an answer; the settings' own when left out.

        Raises:
            DirectoryError: it could not be reached, verified or signed in to.
        """
        return self._access.open_to(server, timeout=timeout)

    def sign_in(self) -> None:
        """Have a fresh ticket for the connections that are made from now on.

        Raises:
            DirectoryError: none was given.
        """
        self._access.sign_in()

    def writer(self) -> Session:
        """A new connection for changes, with a fresh ticket (a long run outlives its first one).

        It is to the domain controller in use; when that fails, to the next one that can take what we write.

        Raises:
            DirectoryError: there is none; says why of each.
        """
        self._access.sign_in()
        return self._access.open(unfit=self._why_not_written_to)

    def accounts(self) -> Iterator[Account]:
        """Every account that can be planned for, and every other object that holds a key, each once.

        When the domain controller fails on the way, the reading begins again at the next one.

        Raises:
            DirectoryError: they could not be read to the end at any; what was read so far is not the whole.
        """
        others = len(self._servers) - 1
        several = others > 0
        seen: set[bytes] = set()
        while True:
            try:
                for account in self._session.accounts(self.controller.domain, PLANNED_FOR):
                    if several:
                        if account.guid in seen:
                            continue
                        seen.add(account.guid)
                    yield account
            except DirectoryError:
                if others <= 0:
                    raise
                others -= 1
                with self._reading:
                    self._servers.failed(self._session.server)
                    self._reopen()
            else:
                return

    def by_guid(self, guids: list[bytes]) -> dict[bytes, Account]:
        """Those of these accounts that exist now. Safe to call from several threads; survives a lost connection.

        Raises:
            DirectoryError: they could not be read, even over a new connection.
        """
        return self._persistently(lambda session: session.by_guid(self.controller.domain, guids))

    def values_of(self, guids: list[bytes], server: str | None = None) -> dict[bytes, tuple[bytes, ...]]:
        """The key credential values of those of these accounts that exist now. As safe to call as ``by_guid``.

        Args:
            guids: The accounts.
            server: Ask this domain controller and no other, such as the one that was written to: others may not know
                of the change yet.

        Raises:
            DirectoryError: they could not be read, even over a new connection.
        """
        return self._persistently(lambda session: session.values_of(self.controller.domain, guids), server)

    def ask(self, read: Callable[[Session], Found]) -> Found:
        """What ``read`` makes of the session that is kept for reading; tried twice if need be. As safe as ``by_guid``.

        Raises:
            DirectoryError: it failed, even over a new connection.
        """
        return self._persistently(read)

    def _persistently(self, read: Callable[[Session], Found], server: str | None = None) -> Found:
        with self._reading:
            try:
                if server is not None and self._session.server != server:
                    self._reopen(server)
                return read(self._session)
            except DirectoryError:
                if server is not None and self._servers.failing(server):
                    raise
                self._access.sign_in()
                self._reopen(server)
                return read(self._session)

    def _reopen(self, server: str | None = None) -> None:
        """Read over a new connection from now on."""
        fresh = self._access.open() if server is None else self._access.open_to(server)
        self._session.close()
        self._reader = self._cleanup.enter_context(fresh)

    def find(self, name: str) -> Account:
        """The one account with this sAMAccountName, userPrincipalName, SID or distinguished name.

        Raises:
            DirectoryError: there is none, or more than one.
        """
        found = list(self._session.accounts(self.controller.domain, filter_for(name)))
        if not found:
            raise DirectoryError(
                f"{self.name} has no account {name}.",
                remedy="Give a sAMAccountName, a userPrincipalName, a SID or a distinguished name.",
            )
        if len(found) > 1:
            raise DirectoryError(
                f"{name} names {len(found)} accounts: {', '.join(account.dn for account in found[:5])}.",
                remedy="Give the distinguished name.",
            )
        return found[0]

    def _check_name(self) -> None:
        wanted = self.settings.domain
        if wanted is not None and self.name.casefold() != wanted.casefold():
            raise DirectoryError(
                f"{self.controller.host} holds the domain {self.name}, not {wanted}.",
                not_done="Nothing was read or changed.",
                remedy="Correct domain or servers in the configuration.",
            )

    @property
    def _session(self) -> Session:
        if self._reader is None:
            raise DirectoryError("The directory is not open.")
        return self._reader

    def _first_session(self) -> Session:
        """To a writable domain controller; to a read-only one when there is no other."""
        read_only = False

        def unfit(session: Session) -> str:
            nonlocal read_only
            controller = session.controller()
            read_only = read_only or controller.read_only
            return _read_only(controller) if controller.read_only else ""

        try:
            return self._access.open(unfit=unfit)
        except DirectoryError:
            if not read_only:
                raise
            return self._access.open()

    def _why_not_written_to(self, session: Session) -> str:
        controller = session.controller()
        if controller.domain.casefold() != self.controller.domain.casefold():
            return f"{controller.host} holds {controller.domain}, not {self.controller.domain}."
        if controller.read_only:
            return _read_only(controller)
        if not controller.samba and controller.level < KEY_TRUST_LEVEL and not self._has_attribute(session):
            return (
                f"The schema of {self.name} has no {KEY_LINK}: it has to be extended to Windows Server 2016"
                " (version 87) or later with adprep."
            )
        return ""

    def _find_servers(self) -> None:
        """By DNS, where none is configured; those of the configured site first."""
        given = self.settings
        if not len(self._servers) and given.domain is not None:
            self._servers.learn(srv.controllers(given.domain, given.site, given.nameservers, min(given.timeout, 10.0)))

    def _learn_servers(self, session: Session) -> None:
        """Know the domain's other writable controllers, where only one is configured."""
        try:
            found = replicas_of(session, self.controller.domain)
        except DirectoryError:
            return  # then there is nothing to fail over to, and what failed will say so
        self._servers.learn(each.host for each in found if not each.read_only)

    def _has_attribute(self, session: Session) -> bool:
        schema = session.search(self.controller.schema, ldap.SCOPE_ONELEVEL, f"(lDAPDisplayName={KEY_LINK})", ["cn"])
        return any(True for _ in schema)

    def _domain_sid(self, session: Session) -> str:
        for _, entry in session.search(
            self.controller.domain, ldap.SCOPE_BASE, "(objectClass=*)", ["objectSid"], paged=False
        ):
            if entry.get("objectSid"):
                return sid_text(entry["objectSid"][0])
        raise DirectoryError(
            f"{session.server} does not show the SID of {self.controller.domain}.",
            remedy="Give the connector account Read access to the domain object.",
        )


def _read_only(controller: DomainController) -> str:
    return f"{controller.host} is a read-only domain controller."
