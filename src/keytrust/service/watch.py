"""Who has changed in the directory since a cursor: by DirSync, or by uSNChanged where that is refused."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace

import ldap

from keytrust.directory.account import ATTRIBUTES
from keytrust.directory.dirsync import DirSyncRefusedError
from keytrust.directory.domain import PLANNED_FOR, Domain
from keytrust.directory.session import Session
from keytrust.directory.settings import ScopeSettings
from keytrust.errors import DirectoryError

_IN_FILTER = re.compile(r"\(\s*([A-Za-z][A-Za-z0-9-]*)[^=()]*=")
_OF_ONE = ("tokengroups", "msds-tokengroup")
"""Attributes that are only shown of one object at a time: who asks for them of more gets an error."""
_NOBODY = "(objectGUID=" + "\\00" * 16 + ")"
_DIRSYNC, _USN = b"D", b"U"


@dataclass(frozen=True, slots=True)
class Watched:
    """Accounts that have changed, the cursor for the next time, and whether changes may have been missed."""

    guids: list[bytes]
    cursor: bytes
    lost: bool = False


def followed(scope: ScopeSettings) -> tuple[str, ...]:
    """The attributes by which an account is planned for, and those by which it comes into the scope or leaves it.

    A move shows as a change of ``name`` ([MS-ADTS] 3.1.1.5.4.1.3), unless a whole organizational unit has moved, which
    ``ScopeWatch`` sees.
    """
    more = () if scope.everybody else (*_IN_FILTER.findall(scope.filter or ""), "name")
    known = {name.lower(): name for name in (*more, *ATTRIBUTES)}
    return tuple(name for lower, name in known.items() if not lower.startswith(_OF_ONE))


def changed_since(domain: Domain, session: Session, cursor: bytes | None) -> Watched:
    """Who has changed since the cursor; without one, nobody, and the cursor of this moment.

    Raises:
        DirectoryError: the domain controller cannot be asked.
    """
    if cursor is not None and cursor[:1] == _USN:
        return _by_usn(domain, session, cursor)
    try:
        cookie = b"" if cursor is None else cursor[1:]
        # A first cookie without a first round: a filter that selects nobody moves it to the present all the same.
        wanted = _NOBODY if cursor is None else PLANNED_FOR
        guids, cookie = session.changes(domain.controller.domain, wanted, followed(domain.settings.scope), cookie)
    except DirSyncRefusedError:
        if cursor is None:
            return Watched([], _encoded(Position.of(session)))
        return replace(changed_since(domain, session, None), lost=True)
    return Watched(guids, _DIRSYNC + cookie)


def _by_usn(domain: Domain, session: Session, cursor: bytes) -> Watched:
    known, now = Position(**json.loads(cursor[1:])), Position.of(session)
    if not now.follows(known):
        return Watched([], _encoded(now), lost=True)
    found = session.search(
        domain.controller.domain,
        ldap.SCOPE_SUBTREE,
        f"(&{known.later}{PLANNED_FOR})",
        ("objectGUID",),
    )
    return Watched([entry["objectGUID"][0] for _, entry in found if entry.get("objectGUID")], _encoded(now))


@dataclass(frozen=True, slots=True)
class Position:
    """How far a domain controller's own count of changes has got."""

    server: str
    usn: int

    @classmethod
    def of(cls, session: Session) -> Position:
        """The count now.

        Raises:
            DirectoryError: the domain controller does not tell, or cannot be asked.
        """
        entry = session.root("highestCommittedUSN", "dsServiceName")
        if not entry.get("highestCommittedUSN"):
            raise DirectoryError(
                f"{session.server} does not tell its highestCommittedUSN, so changes cannot be followed."
            )
        server = entry.get("dsServiceName", [b""])[0].decode("utf-8", "replace")
        return cls(server, int(entry["highestCommittedUSN"][0]))

    def follows(self, earlier: Position) -> bool:
        """Whether what happened since then can be asked for: numbers are each controller's own."""
        return self.server == earlier.server and self.usn >= earlier.usn

    @property
    def later(self) -> str:
        """The filter for whatever has changed since."""
        return f"(uSNChanged>={self.usn + 1})"


def _encoded(position: Position) -> bytes:
    return _USN + json.dumps(asdict(position)).encode()
