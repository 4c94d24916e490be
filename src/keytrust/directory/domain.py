"""One Active Directory domain, reached through whichever of its configured domain controllers answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import ldap
import ldap.dn
import ldap.filter
from ldap.controls import LDAPControl

from keytrust.credential import Dialect
from keytrust.directory.account import KEY_LINK, Account, sid_text
from keytrust.directory.connection import connect, needs_ticket
from keytrust.directory.controller import KEY_TRUST_LEVEL, DomainController
from keytrust.directory.kerberos import ticket_cache
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
        self._cache: Path | None = None
        self._cleanup = ExitStack()
        self._reader: Session | None = None
        self._reading = threading.Lock()

    def __enter__(self) -> Domain:
        """Sign in.

        Raises:
            DirectoryError: no server could be reached or signed in to.
        """
        with ExitStack() as stack:
            self._cleanup = stack
            self._sign_in()
            session = stack.enter_context(self.session())
            self._reader = session
            self.controller = session.controller()
            self._check_name()
            self.sid = self._domain_sid(session)
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
        """A new connection to the first configured server that answers; ``search_controls`` go with every search.

        Raises:
            DirectoryError: none does; one server's cause is told, or that of each.
        """
        faults: list[DirectoryError] = []
        for server in self.settings.servers:
            try:
                connection = connect(self.settings, server, self._cache)
            except DirectoryError as error:
                faults.append(error)
                continue
            return Session(connection, server, self.settings.page_size, self.settings.timeout, search_controls)
        if len(faults) == 1:
            raise faults[0]
        raise DirectoryError(
            f"None of {len(faults)} domain controllers could be used: " + " ".join(f.message for f in faults),
            not_done="Nothing was read or changed.",
            remedy=faults[0].remedy,
            detail="\n".join(f.detail for f in faults),
        )

    def session_to(self, server: str, *, timeout: float | None = None) -> Session:
        """A new connection to this one domain controller, whether or not it is configured.

        Args:
            server: Its DNS name.
            timeout: Seconds to wait for an answer; the settings' own when left out.

        Raises:
            DirectoryError: it could not be reached, verified or signed in to.
        """
        settings = self.settings if timeout is None else self.settings.model_copy(update={"timeout": timeout})
        return Session(connect(settings, server, self._cache), server, settings.page_size, settings.timeout)

    def writer(self) -> Session:
        """A new connection for changes, with a fresh ticket (a long run outlives its first one).

        Raises:
            DirectoryError: no server answers, or the one that does cannot take what we write.
        """
        if self.controller.read_only:
            raise DirectoryError(
                f"{self.controller.host} is a read-only domain controller.",
                not_done="Nothing was changed.",
                remedy="Name a writable domain controller in servers.",
            )
        if not self.controller.samba and self.controller.level < KEY_TRUST_LEVEL and not self._has_attribute():
            raise DirectoryError(
                f"The schema of {self.name} has no {KEY_LINK}.",
                not_done="Nothing was changed.",
                remedy="Extend the schema to Windows Server 2016 (version 87) or later with adprep.",
            )
        self._sign_in()
        return self.session()

    def accounts(self) -> Iterator[Account]:
        """Every account that can be planned for, and every other object that holds a key."""
        return self._session.accounts(self.controller.domain, PLANNED_FOR)

    def by_guid(self, guids: list[bytes]) -> dict[bytes, Account]:
        """Those of these accounts that exist now. Safe to call from several threads; survives a lost connection.

        Raises:
            DirectoryError: they could not be read, even over a new connection.
        """
        return self._persistently(lambda session: session.by_guid(self.controller.domain, guids))

    def values_of(self, guids: list[bytes]) -> dict[bytes, tuple[bytes, ...]]:
        """The key credential values of those of these accounts that exist now. As safe to call as ``by_guid``.

        Raises:
            DirectoryError: they could not be read, even over a new connection.
        """
        return self._persistently(lambda session: session.values_of(self.controller.domain, guids))

    def _persistently(self, read: Callable[[Session], Found]) -> Found:
        with self._reading:
            try:
                return read(self._session)
            except DirectoryError:
                self._session.close()
                self._sign_in()
                self._reader = self._cleanup.enter_context(self.session())
                return read(self._reader)

    def find(self, name: str) -> Account:
        """The one account with this sAMAccountName, userPrincipalName, SID or distinguished name.

        Raises:
            DirectoryError: there is none, or more than one.
        """
        wanted = ldap.filter.escape_filter_chars(name)
        names = "".join(
            f"({attribute}={wanted})" for attribute in ("sAMAccountName", "userPrincipalName", "distinguishedName")
        )
        if name.upper().startswith("S-1-"):
            names += f"(objectSid={wanted})"
        if "\\" in name:
            names += f"(sAMAccountName={ldap.filter.escape_filter_chars(name.split(chr(92), 1)[1])})"
        found = list(self._session.accounts(self.controller.domain, f"(|{names})"))
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

    def _sign_in(self) -> None:
        if needs_ticket(self.settings):
            self._cache = self._cleanup.enter_context(ticket_cache(self.settings))

    def _has_attribute(self) -> bool:
        schema = self._session.search(
            self.controller.schema, ldap.SCOPE_ONELEVEL, f"(lDAPDisplayName={KEY_LINK})", ["cn"]
        )
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
