"""One signed-in connection to one domain controller: paged and ranged reads, pipelined changes of single values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Any

import ldap
import ldap.filter
from ldap.controls import LDAPControl, SimplePagedResultsControl
from ldap.ldapobject import SimpleLDAPObject

from keytrust.directory import faults
from keytrust.directory.account import ATTRIBUTES, KEY_LINK, Account, Entry, from_entry, guid_text
from keytrust.directory.controller import ROOT_DSE, DomainController, from_root_dse
from keytrust.directory.dirsync import OID as DIRSYNC
from keytrust.directory.dirsync import DirSyncRefusedError, DirSyncRequest, DirSyncResponse
from keytrust.directory.ranged import is_whole, whole
from keytrust.errors import DirectoryError
from keytrust.interrupts import shielded

_CANONICAL = {name.lower(): name for name in (*ATTRIBUTES, *ROOT_DSE)}
_GUIDS_A_SEARCH = 50


class Verdict(Enum):
    """What became of one change."""

    DONE = auto()
    ALREADY = auto()
    """The value to add was there, or the value to delete was not: the directory is as wanted."""
    REFUSED = auto()
    """Final: asking again will not help."""
    BUSY = auto()
    """Not done; the server asks to be asked again later."""
    LOST = auto()
    """The connection died: it may have been done or not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one change.

    Attributes:
        ticket: What ``begin_add`` or ``begin_delete`` returned; None when the connection died and all are lost.
        verdict: What became of it.
        detail: The server's words, or the cause in ours; empty on success.
        denied: Whether the server said that we lack the right.
    """

    ticket: int | None
    verdict: Verdict
    detail: str = ""
    denied: bool = False


class Session:
    """Reads and changes over one connection. Not for use by two threads at once."""

    def __init__(
        self,
        connection: SimpleLDAPObject,
        server: str,
        page_size: int,
        timeout: float,
        search_controls: Sequence[LDAPControl] = (),
        silent: Callable[[], None] = lambda: None,
    ) -> None:
        """``search_controls`` go with every search; ``silent`` is called when an answer does not come in time."""
        self._silent = silent
        self._connection = connection
        self._search_controls = tuple(search_controls)
        self._closed = False
        self._page_size = page_size
        self._timeout = timeout
        self.server = server

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; harmless when it is dead or ended already. Whatever is asked afterwards is lost."""
        if self._closed:
            return
        self._closed = True
        try:
            with shielded():
                self._connection.unbind_ext()
        except ldap.LDAPError:
            return

    @property
    def connection(self) -> SimpleLDAPObject:
        """The connection itself, for changes other than of key values: see ``Editor``."""
        return self._connection

    # -- reading ------------------------------------------------------------------------------------------------

    def root(self, *names: str) -> Entry:
        """These attributes of the server's rootDSE, as far as it shows them.

        Raises:
            DirectoryError: it could not be read.
        """
        return next((entry for _, entry in self.search("", ldap.SCOPE_BASE, "(objectClass=*)", names, paged=False)), {})

    def controller(self) -> DomainController:
        """What the server says of itself."""
        return from_root_dse(self.server, self.root(*ROOT_DSE))

    def accounts(self, base: str, filter_text: str) -> Iterator[Account]:
        """Every account below ``base`` that the filter selects, each with all its key credential values."""
        for dn, entry in self.search(base, ldap.SCOPE_SUBTREE, filter_text, ATTRIBUTES):
            yield from_entry(dn, self._whole(dn, entry))

    def by_guid(self, base: str, guids: Iterable[bytes]) -> dict[bytes, Account]:
        """Those accounts among ``guids`` that exist now, by their objectGUID."""
        found = (self.accounts(base, either) for either in _any_of(guids))
        return {account.guid: account for accounts in found for account in accounts}

    def values_of(self, base: str, guids: Iterable[bytes]) -> dict[bytes, tuple[bytes, ...]]:
        """The key credential values of those accounts among ``guids`` that exist now: the cheapest way to look."""
        found: dict[bytes, tuple[bytes, ...]] = {}
        for either in _any_of(guids):
            for dn, entry in self.search(base, ldap.SCOPE_SUBTREE, either, ("objectGUID", KEY_LINK)):
                complete = self._whole(dn, entry)
                found[complete["objectGUID"][0]] = tuple(complete.get(KEY_LINK, ()))
        return found

    def search(
        self, base: str, scope: int, filter_text: str, attributes: Sequence[str], *, paged: bool = True
    ) -> Iterator[tuple[str, Entry]]:
        """Search, page by page, asking for the next page before the present one is worked on.

        Raises:
            DirectoryError: the search failed or was cut short; what came before is then not the whole.
        """
        control = SimplePagedResultsControl(True, size=self._page_size, cookie="")
        if self._closed:
            raise DirectoryError(f"The connection to {self.server} is closed.")
        try:
            ticket = self._send_search(base, scope, filter_text, attributes, control if paged else None)
            while True:
                with shielded():
                    _, rows, _, controls = self._connection.result3(ticket, timeout=self._timeout)
                control.cookie = _cookie(controls) if paged else ""
                if control.cookie:
                    ticket = self._send_search(base, scope, filter_text, attributes, control)
                for dn, entry in rows:
                    if dn is not None:  # None marks a referral to another domain, which is not ours to follow
                        yield dn, {_CANONICAL.get(name.lower(), name): values for name, values in entry.items()}
                if not control.cookie:
                    return
        except ldap.NO_SUCH_OBJECT as error:
            raise DirectoryError(f"{self.server} knows no object {base}.", detail=faults.words(error)) from error
        except ldap.LDAPError as error:
            if isinstance(error, ldap.TIMEOUT):
                self._silent()
            raise DirectoryError(
                f"Reading accounts from {self.server} stopped before the end: {faults.words(error)}.",
                not_done="What was read so far is not used.",
                remedy="Run it again when the domain controller is well.",
                detail=faults.words(error),
            ) from error

    def changes(
        self, base: str, filter_text: str, attributes: Sequence[str], cookie: bytes
    ) -> tuple[list[bytes], bytes]:
        """The GUIDs of the objects selected whose attributes have changed since a cookie, and the next cookie.

        Raises:
            DirSyncRefusedError: the server does not do this, or not for us, or does not know the cookie any more.
            DirectoryError: the connection failed.
        """
        guids: dict[bytes, None] = {}
        while True:
            try:
                with shielded():
                    ticket = self._connection.search_ext(
                        base, ldap.SCOPE_SUBTREE, filter_text, list(attributes), serverctrls=[DirSyncRequest(cookie)]
                    )
                    _, rows, _, controls = self._connection.result3(
                        ticket, timeout=self._timeout, resp_ctrl_classes={DIRSYNC: DirSyncResponse}
                    )
            except (ldap.UNAVAILABLE_CRITICAL_EXTENSION, ldap.INSUFFICIENT_ACCESS, ldap.UNWILLING_TO_PERFORM) as error:
                raise DirSyncRefusedError(self.server, faults.words(error)) from error
            except (ldap.LDAPError, ValueError) as error:
                said = faults.words(error) if isinstance(error, ldap.LDAPError) else str(error)
                raise DirectoryError(
                    f"{self.server} did not say what has changed: {said}.",
                    remedy="Check that the domain controller runs and answers LDAP.",
                    detail=said,
                ) from error
            for dn, entry in rows:
                if dn is not None and entry.get("objectGUID"):
                    guids[entry["objectGUID"][0]] = None
            answer = next((each for each in controls if isinstance(each, DirSyncResponse)), None)
            if answer is None:
                raise DirSyncRefusedError(self.server, "it does not answer the DirSync control")
            cookie = answer.cookie
            if not answer.more:
                return list(guids), cookie

    def _send_search(
        self,
        base: str,
        scope: int,
        filter_text: str,
        attributes: Sequence[str],
        control: SimplePagedResultsControl | None,
    ) -> int:
        controls = [*self._search_controls, *([control] if control is not None else [])]
        with shielded():
            return int(self._connection.search_ext(base, scope, filter_text, list(attributes), serverctrls=controls))

    def search_whole(
        self, base: str, scope: int, filter_text: str, attributes: Sequence[str], *, paged: bool = True
    ) -> Iterator[tuple[str, Entry]]:
        """As ``search``, with every attribute of very many values (members of a group, say) read to its end."""
        for dn, entry in self.search(base, scope, filter_text, attributes, paged=paged):
            yield dn, self._whole(dn, entry)

    def _whole(self, dn: str, entry: Entry) -> Entry:
        if is_whole(entry):
            return entry
        guid = guid_text(entry["objectGUID"][0]) if entry.get("objectGUID") else None
        target = f"<GUID={guid}>" if guid else dn

        def following(part: str) -> Entry | None:
            return next(
                (e for _, e in self.search(target, ldap.SCOPE_BASE, "(objectClass=*)", [part], paged=False)), None
            )

        return whole(self.server, dn, entry, following)

    # -- changing -----------------------------------------------------------------------------------------------

    def begin_add(self, guid: bytes, value: bytes) -> int:
        """Ask for one value to be added; returns the ticket by which its answer is known, -1 over a dead connection."""
        return self._begin(ldap.MOD_ADD, guid, value)

    def begin_delete(self, guid: bytes, value: bytes) -> int:
        """Ask for one value, given as the exact stored string, to be deleted."""
        return self._begin(ldap.MOD_DELETE, guid, value)

    def _begin(self, operation: int, guid: bytes, value: bytes) -> int:
        # Addressed by GUID: an account that was renamed or moved meanwhile is still the one that was planned for.
        if self._closed:
            return -1
        try:
            ticket: int = self._connection.modify_ext(f"<GUID={guid_text(guid)}>", [(operation, KEY_LINK, [value])])
        except ldap.LDAPError:
            return -1
        return ticket

    def next_answer(self) -> Answer:
        """Wait for the answer to any change in flight."""
        if self._closed:
            return Answer(None, Verdict.LOST, "the connection is closed")
        try:
            _, _, ticket, _ = self._connection.result3(ldap.RES_ANY, all=1, timeout=self._timeout)
        except ldap.LDAPError as error:
            if isinstance(error, ldap.TIMEOUT):
                self._silent()
            info: Any = error.args[0] if error.args else {}
            ticket = info.get("msgid") if isinstance(info, dict) else None
            return _answer(ticket, error)
        return Answer(ticket, Verdict.DONE)


def _answer(ticket: int | None, error: ldap.LDAPError) -> Answer:
    said = faults.words(error)
    if isinstance(error, faults.LOST) or ticket is None:
        return Answer(None, Verdict.LOST, said)
    if isinstance(error, (ldap.TYPE_OR_VALUE_EXISTS, ldap.ALREADY_EXISTS, ldap.NO_SUCH_ATTRIBUTE)):
        return Answer(ticket, Verdict.ALREADY, said)
    if isinstance(error, faults.BUSY):
        return Answer(ticket, Verdict.BUSY, said)
    denied = isinstance(error, ldap.INSUFFICIENT_ACCESS)
    return Answer(ticket, Verdict.REFUSED, faults.refusal(error), denied)


def _cookie(controls: Sequence[Any]) -> Any:
    for control in controls:
        if control.controlType == SimplePagedResultsControl.controlType:
            return control.cookie
    return ""


def _any_of(guids: Iterable[bytes]) -> Iterator[str]:
    """Filters that together select the objects with these GUIDs, each of a size that servers take."""
    wanted = ["".join(f"\\{byte:02x}" for byte in guid) for guid in guids]
    for start in range(0, len(wanted), _GUIDS_A_SEARCH):
        yield "(|" + "".join(f"(objectGUID={guid})" for guid in wanted[start : start + _GUIDS_A_SEARCH]) + ")"
