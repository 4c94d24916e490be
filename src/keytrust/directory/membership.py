"""Who is selected by groups, organizational units and a filter.

Nested groups are walked downwards, level by level, each group once: so a cycle ends, every server can do it, and what
it costs depends on the groups and not on their members. Members are then found by their ``memberOf``, page by page,
which makes a group of any size a plain search instead of a ranged read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ldap
import ldap.filter

from keytrust.directory.account import sid_text
from keytrust.directory.session import Session
from keytrust.directory.settings import ScopeSettings
from keytrust.errors import DirectoryError


class ScopeError(DirectoryError):
    """The scope cannot be resolved as it is configured: nobody is in or out of it."""


USERS = "(sAMAccountType=805306368)"
_PER_FILTER = 40
_MOST_GROUPS = 10_000


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the scope.

    Attributes:
        dn: Distinguished name.
        rid: The last part of its SID, by which accounts name their primary group.
        usn: Its uSNChanged on the server that was asked: another number means that something changed, perhaps members.
    """

    dn: str
    rid: int
    usn: int


class Membership:
    """Finds members over one session.

    Args:
        session: To a domain controller of the domain.
        domain_dn: The domain's distinguished name.
        settings: What selects.
    """

    def __init__(self, session: Session, domain_dn: str, settings: ScopeSettings) -> None:
        self._session = session
        self._domain = domain_dn
        self._settings = settings

    def groups(self) -> dict[str, Group]:
        """The groups that are named, and all that are members of them however deep, by DN.

        Raises:
            ScopeError: a group that is named does not exist.
            DirectoryError: they could not be read.
        """
        found: dict[str, Group] = {}
        level = {group.dn: group for name in self._settings.groups for group in [self._named(name)]}
        while level:
            found |= level
            if len(found) > _MOST_GROUPS:
                raise ScopeError(
                    f"The groups of the scope have more than {_MOST_GROUPS:,} groups in them.",
                    not_done="Nothing was planned.",
                    remedy="Name smaller groups in [directory.scope].",
                )
            below = (
                _group(dn, entry)
                for part in _parts([f"(memberOf={_escaped(dn)})" for dn in level])
                for dn, entry in self._search(self._domain, f"(&(objectClass=group)(|{part}))")
            )
            level = {group.dn: group for group in below if group.dn not in found}
        return found

    def everybody(self, groups: Mapping[str, Group]) -> Iterator[bytes]:
        """The objectGUIDs of all users that are selected; one may occur twice.

        Raises:
            DirectoryError: they could not all be read.
        """
        yield from self._members(groups, "")

    def among(self, groups: Mapping[str, Group], guids: Iterable[bytes]) -> Iterator[bytes]:
        """Those of these users that are selected.

        Raises:
            DirectoryError: they could not all be read.
        """
        for part in _parts([_guid(guid) for guid in guids]):
            yield from self._members(groups, f"(|{part})")

    def _members(self, groups: Mapping[str, Group], among: str) -> Iterator[bytes]:
        in_groups: Iterable[str] = [""]
        if self._settings.groups:
            ways = [f"(memberOf={_escaped(dn)})" for dn in groups]
            ways += [f"(primaryGroupID={group.rid})" for group in groups.values()]
            in_groups = (f"(|{part})" for part in _parts(ways))
        for in_group in in_groups:
            chosen = f"(&{USERS}{among}{in_group}{self._settings.filter or ''})"
            for base in self._settings.ous or (self._domain,):
                for _, entry in self._search(base, chosen, ("objectGUID",)):
                    yield entry["objectGUID"][0]

    def _named(self, name: str) -> Group:
        wanted = _escaped(name)
        ways = f"(sAMAccountName={wanted})(distinguishedName={wanted})"
        if name.upper().startswith("S-1-"):
            ways += f"(objectSid={wanted})"
        found = [_group(dn, entry) for dn, entry in self._search(self._domain, f"(&(objectClass=group)(|{ways}))")]
        if len(found) != 1:
            raise ScopeError(
                f"The scope names the group {name}, of which there are {len(found)} in {self._domain}.",
                not_done="Nothing was planned: without the group everybody would be out of scope.",
                remedy="Correct groups in [directory.scope]: a sAMAccountName, a SID or a distinguished name.",
            )
        return found[0]

    def _search(
        self, base: str, chosen: str, attributes: Sequence[str] = ("objectSid", "uSNChanged")
    ) -> Iterator[tuple[str, Mapping[str, Sequence[bytes]]]]:
        yield from self._session.search(base, ldap.SCOPE_SUBTREE, chosen, attributes)


def _group(dn: str, entry: Mapping[str, Sequence[bytes]]) -> Group:
    usn = entry.get("uSNChanged", [b"0"])[0]
    sid = sid_text(entry["objectSid"][0]) if entry.get("objectSid") else "-0"
    return Group(dn, int(sid.rsplit("-", 1)[1]), int(usn) if usn.isdigit() else 0)


def _parts(filters: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(filters), _PER_FILTER):
        yield "".join(filters[start : start + _PER_FILTER])


def _guid(guid: bytes) -> str:
    return "(objectGUID=" + "".join(f"\\{byte:02x}" for byte in guid) + ")"


def _escaped(text: str) -> str:
    escaped: str = ldap.filter.escape_filter_chars(text)
    return escaped
