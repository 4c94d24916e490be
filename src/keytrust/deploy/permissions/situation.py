"""What has to be known of a domain before its connector account is given its right. Reads, as the set-up identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import ldap
import ldap.filter

from keytrust.deploy.errors import SetupError
from keytrust.deploy.identity import SetupDirectory
from keytrust.directory.account import Entry, guid_text, sid_text
from keytrust.directory.discovery import read_forest
from keytrust.directory.editor import Editor
from keytrust.directory.security.dacl import Dacl

KEY_ADMINS, ENTERPRISE_KEY_ADMINS = 526, 527
"""RIDs, [MS-DTYP] 2.4.2.4; the second is in the forest's root domain."""
_USERS_CONTAINER = "A9D1CA15768811D1ADED00C04FD8D5CD"
"""GUID_USERS_CONTAINER_W, [MS-ADTS] 6.1.1.4."""
_SECURITY_GROUP = 0x8000_0000


class Kind(StrEnum):
    """What kind of account the connector is."""

    USER = "user"
    MANAGED = "group managed service account"
    COMPUTER = "computer"


@dataclass(frozen=True, slots=True)
class Connector:
    """The account that keytrust signs in as."""

    dn: str
    guid: str
    sid: str
    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Group:
    """A group that carries the right, or could.

    Attributes:
        others: Names of members other than the connector, at most ``MOST_NAMED``.
        more: How many more there are.
        has_connector: Whether the connector is a direct member.
        security: Whether it can be given rights at all.
    """

    dn: str
    guid: str
    sid: str
    name: str
    others: tuple[str, ...]
    more: int
    has_connector: bool
    security: bool


MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Situation:
    """A domain as far as the right to write keys goes.

    Attributes:
        domain: DNS name.
        domain_dn: Its head.
        domain_guid: The head's objectGUID as text.
        dacl: The head's permissions.
        domains: Number of domains in the forest.
        root: Whether this is the forest's root domain.
        samba: Whether the domain controller is Samba.
        level: Its functional level; 7 is Windows Server 2016.
        users: DN of the container Users.
        connector: The account.
        key_admins: The group, when there is one.
        enterprise: Enterprise Key Admins, when it is in this domain.
        own: The group of our own, when there is one.
        own_name: What it is or will be called.
    """

    domain: str
    domain_dn: str
    domain_guid: str
    domain_sid: str
    dacl: Dacl
    domains: int
    root: bool
    samba: bool
    level: int
    users: str
    connector: Connector
    key_admins: Group | None
    enterprise: Group | None
    own: Group | None
    own_name: str


def read_situation(opened: SetupDirectory, connector_name: str, own_name: str) -> Situation:
    """Look at the domain.

    Raises:
        SetupError: there is no such connector account, or it is of a kind that cannot be one.
        DirectoryError: the directory did not answer.
    """
    editor, controller = opened.editor, opened.domain.controller
    head = editor.entry(controller.domain, ["objectGUID"])
    if head is None or not head[1].get("objectGUID"):
        raise SetupError(f"{editor.server} does not show the domain {opened.domain.name} to {opened.identity}.")
    connector = find_connector(editor, controller.domain, connector_name)
    sid = opened.domain.sid

    def group(chosen: str) -> Group | None:
        return _group(editor, controller.domain, chosen, connector)

    return Situation(
        domain=opened.domain.name,
        domain_dn=controller.domain,
        domain_guid=guid_text(head[1]["objectGUID"][0]),
        domain_sid=sid,
        dacl=editor.dacl(controller.domain),
        domains=max(1, len(read_forest(editor.session, controller).domains)),
        root=controller.configuration.lower() == f"cn=configuration,{controller.domain.lower()}",
        samba=controller.samba,
        level=controller.level,
        users=_users_container(editor, controller.domain),
        connector=connector,
        key_admins=group(f"(objectSid={sid}-{KEY_ADMINS})"),
        enterprise=group(f"(objectSid={sid}-{ENTERPRISE_KEY_ADMINS})"),
        own=group(f"(sAMAccountName={_escaped(own_name)})"),
        own_name=own_name,
    )


def find_connector(editor: Editor, domain_dn: str, name: str) -> Connector:
    """The account by sAMAccountName (with or without a computer's ``$``), principal, UPN, SID or DN.

    Raises:
        SetupError: there is none, or it cannot be a connector account.
    """
    wanted, short = _escaped(name), _escaped(name.partition("@")[0].rpartition("\\")[2])
    ways = "".join(f"({attribute}={wanted})" for attribute in ("userPrincipalName", "distinguishedName"))
    ways += f"(sAMAccountName={short})(sAMAccountName={short}$)"
    if name.upper().startswith("S-1-"):
        ways += f"(objectSid={wanted})"
    attributes = ["objectClass", "objectGUID", "objectSid", "sAMAccountName"]
    found = list(
        editor.session.search(domain_dn, ldap.SCOPE_SUBTREE, f"(&(objectSid=*)(objectClass=user)(|{ways}))", attributes)
    )
    if len(found) != 1:
        raise SetupError(
            f"{domain_dn} has no account {name}."
            if not found
            else f"{name} names {len(found)} accounts: {', '.join(dn for dn, _ in found[:5])}.",
            not_done="Nothing was changed.",
            remedy="Make the connector account first, or name it with --connector: sAMAccountName, UPN, SID or DN.",
        )
    dn, entry = found[0]
    name = _text(entry, "sAMAccountName")
    return Connector(dn, guid_text(entry["objectGUID"][0]), sid_text(entry["objectSid"][0]), name, _kind(entry))


def _kind(entry: Entry) -> Kind:
    classes = {value.decode("utf-8", "replace").lower() for value in entry.get("objectClass", ())}
    if "msds-groupmanagedserviceaccount" in classes or "msds-managedserviceaccount" in classes:
        return Kind.MANAGED
    return Kind.COMPUTER if "computer" in classes else Kind.USER


def _group(editor: Editor, domain_dn: str, chosen: str, connector: Connector) -> Group | None:
    attributes = ["objectGUID", "objectSid", "sAMAccountName", "groupType"]
    found = list(
        editor.session.search(domain_dn, ldap.SCOPE_SUBTREE, f"(&(objectClass=group){chosen})", attributes, paged=False)
    )
    if not found:
        return None
    dn, entry = found[0]
    others, more = _others(editor, domain_dn, dn, connector)
    return Group(
        dn=dn,
        guid=guid_text(entry["objectGUID"][0]),
        sid=sid_text(entry["objectSid"][0]),
        name=_text(entry, "sAMAccountName"),
        others=others,
        more=more,
        has_connector=editor.has_value(dn, "member", connector.dn.encode()),
        security=bool(int(_text(entry, "groupType") or "0") & _SECURITY_GROUP),
    )


def _others(editor: Editor, domain_dn: str, group: str, connector: Connector) -> tuple[tuple[str, ...], int]:
    """Members by their ``memberOf``: a group of any size is then a plain search, page by page."""
    names: list[str] = []
    more = 0
    members = editor.session.search(domain_dn, ldap.SCOPE_SUBTREE, f"(memberOf={_escaped(group)})", ["sAMAccountName"])
    for dn, entry in members:
        if dn.lower() == connector.dn.lower():
            continue
        if len(names) < MOST_NAMED:
            names.append(_text(entry, "sAMAccountName") or dn)
        else:
            more += 1
    return tuple(names), more


def _users_container(editor: Editor, domain_dn: str) -> str:
    found = editor.entry(f"<WKGUID={_USERS_CONTAINER},{domain_dn}>", ["1.1"])
    return found[0] if found is not None else f"CN=Users,{domain_dn}"


def _text(entry: Entry, name: str) -> str:
    values: Sequence[bytes] = entry.get(name, ())
    return values[0].decode("utf-8", "replace") if values else ""


def _escaped(text: str) -> str:
    escaped: str = ldap.filter.escape_filter_chars(text)
    return escaped
