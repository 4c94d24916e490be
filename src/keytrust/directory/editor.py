"""Changes of the directory other than of keys, one object at a time: what set-up steps are made of."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import ldap
import ldap.filter

from keytrust.directory import faults
from keytrust.directory.account import Entry, guid_text
from keytrust.directory.security.control import DACL_ONLY
from keytrust.directory.security.dacl import Dacl
from keytrust.directory.session import Session
from keytrust.errors import DirectoryError
from keytrust.interrupts import shielded

DESCRIPTOR = "nTSecurityDescriptor"
_METADATA = "replPropertyMetaData"
_DESCRIPTOR_ATTID = 0x20119
"""attributeID of nTSecurityDescriptor, 1.2.840.113556.1.2.281, in the short form of [MS-DRSR] 5.16.4."""

Answer = TypeVar("Answer")


class ChangeLostError(DirectoryError):
    """The connection died while a change was on its way: it may have been made or not."""


class ChangeRefusedError(DirectoryError):
    """The domain controller refused a change: nothing was changed."""


class Editor:
    """Reads and changes single objects over one session, which must be opened with ``OWNER_GROUP_DACL``."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.server = session.server

    # -- reading ------------------------------------------------------------------------------------------------

    def entry(self, target: str, attributes: Sequence[str]) -> tuple[str, Entry] | None:
        """The object with this DN or ``<GUID=…>``; None when there is none."""
        try:
            found = list(self.session.search(target, ldap.SCOPE_BASE, "(objectClass=*)", attributes, paged=False))
        except DirectoryError as error:
            if isinstance(error.__cause__, ldap.NO_SUCH_OBJECT):
                return None
            raise
        return found[0] if found else None

    def has_value(self, target: str, attribute: str, value: bytes) -> bool:
        """Whether the object has this value; asked of the server, which knows the attribute's syntax and all values."""
        wanted = "".join(f"\\{byte:02x}" for byte in value)
        try:
            found = self.session.search(target, ldap.SCOPE_BASE, f"({attribute}={wanted})", ["1.1"], paged=False)
            return any(True for _ in found)
        except DirectoryError as error:
            if isinstance(error.__cause__, ldap.NO_SUCH_OBJECT):
                return False
            raise

    def dacl(self, target: str) -> Dacl:
        """The object's DACL.

        Raises:
            DirectoryError: there is no such object, or its permissions may not be read.
        """
        return self._dacl(target)[0]

    def _dacl(self, target: str) -> tuple[Dacl, int | None]:
        found = self.entry(target, [DESCRIPTOR, _METADATA])
        if found is None or not found[1].get(DESCRIPTOR):
            raise DirectoryError(
                f"The permissions of {target} cannot be read on {self.server}.",
                not_done="Nothing was changed.",
                remedy="Use an account that may read them, such as a member of Domain Admins.",
            )
        return Dacl.parse(found[1][DESCRIPTOR][0]), _version(found[1].get(_METADATA, ()))

    # -- changing -----------------------------------------------------------------------------------------------

    def add_object(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> str:
        """Make an object and return its GUID as text."""
        record = [(name, list(values)) for name, values in attributes.items()]
        self._change(f"make {dn}", lambda: self.session.connection.add_ext_s(dn, record))
        found = self.entry(dn, ["objectGUID"])
        if found is None or not found[1].get("objectGUID"):
            raise ChangeLostError(f"{self.server} made {dn} and does not show it.")
        return guid_text(found[1]["objectGUID"][0])

    def delete_object(self, target: str) -> None:
        """Delete an object that has nothing below it."""
        self._change(f"delete {target}", lambda: self.session.connection.delete_ext_s(target))

    def modify(self, target: str, changes: Sequence[tuple[int, str, Sequence[bytes] | None]]) -> None:
        """Change attributes of an object, all or none."""
        wanted = [(kind, name, list(values) if values is not None else None) for kind, name, values in changes]
        names = ", ".join(dict.fromkeys(name for _, name, _ in changes))
        self._change(f"change {names} of {target}", lambda: self.session.connection.modify_ext_s(target, wanted))

    def edit_dacl(self, target: str, edit: Callable[[Dacl], Dacl]) -> None:
        """Read the DACL, change it, write it: nothing but the DACL, and everything that ``edit`` leaves as it was.

        LDAP has no way to write it only if it is unchanged. The time between reading and writing is one round trip; the
        attribute's version, which counts every write, then tells whether somebody else came in between.

        Raises:
            DirectoryError: refused; or somebody else wrote it in between, whose change may be lost.
        """
        before, version = self._dacl(target)
        wanted = edit(before)
        if wanted.aces == before.aces:
            return
        record = [(ldap.MOD_REPLACE, DESCRIPTOR, [wanted.descriptor()])]
        self._change(
            f"change the permissions of {target}",
            lambda: self.session.connection.modify_ext_s(target, record, serverctrls=[DACL_ONLY]),
        )
        after, now = self._dacl(target)
        if version is not None and now is not None and now > version + 1:
            raise DirectoryError(
                f"Somebody else changed the permissions of {target} at the same moment.",
                not_done="What they changed may have been lost.",
                remedy="Find out from the domain controllers' audit events (5136) what it was, and make it again.",
            )
        if sorted(after.explicit) != sorted(wanted.explicit):
            raise DirectoryError(
                f"{self.server} took new permissions for {target} and shows others.",
                not_done="What else may have changed is not known.",
                remedy="Compare the object's permissions with the entries in keytrust setup history.",
            )

    def _change(self, what: str, send: Callable[[], Answer]) -> Answer:
        try:
            with shielded():
                return send()
        except faults.LOST as error:
            raise ChangeLostError(
                f"The connection to {self.server} was lost in the attempt to {what}.",
                not_done="Whether it took effect is not known.",
                remedy="Run the same command again: it looks at what is there and does the rest.",
                detail=faults.words(error),
            ) from error
        except ldap.LDAPError as error:
            raise ChangeRefusedError(
                f"{self.server} refused to {what}: {_reason(error)}.",
                not_done="This was not changed, nor anything after it.",
                remedy="Use an account with the right to do it, such as a member of Domain Admins."
                if isinstance(error, ldap.INSUFFICIENT_ACCESS)
                else "Correct the cause and run it again.",
                detail=faults.words(error),
            ) from error


def _reason(error: ldap.LDAPError) -> str:
    if isinstance(error, ldap.INSUFFICIENT_ACCESS):
        return "access denied"
    if isinstance(error, ldap.ALREADY_EXISTS):
        return "it exists already"
    return faults.words(error)


def _version(metadata: Sequence[bytes]) -> int | None:
    """How often the descriptor was written, from replPropertyMetaData ([MS-ADTS] 3.1.1.1.9); None if not told."""
    if not metadata or len(metadata[0]) < 16:
        return None
    blob = metadata[0]
    for position in range(16, len(blob) - 47, 48):
        attribute, version = struct.unpack_from("<II", blob, position)
        if attribute == _DESCRIPTOR_ATTID:
            return int(version)
    return None
