"""A forest as one of its domain controllers describes it: domains, sites, domain controllers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import ldap
import ldap.dn

from keytrust.directory.account import guid_text
from keytrust.directory.spelling import one_spelling

CR_NTDS_DOMAIN = 0x2
"""systemFlags of a crossRef: the naming context is a domain ([MS-ADTS] 6.1.1.2.1.1.5)."""
NTDSDSA_OPT_IS_GC = 0x1
"""options of an nTDSDSA: a global catalog ([MS-ADTS] 6.1.1.2.2.1.2.1.1)."""

CROSS_REF = ("nCName", "dnsRoot", "nETBIOSName", "systemFlags", "msDS-Behavior-Version", "trustParent")
SERVER = ("dNSHostName", "serverReference")
AGENT = ("msDS-Behavior-Version", "objectCategory", "objectGUID", "options")

Row = tuple[str, Mapping[str, Sequence[bytes]]]
"""A distinguished name and its attributes."""


@dataclass(frozen=True, slots=True)
class ForestDomain:
    """A domain of the forest.

    Attributes:
        name: Its DNS name.
        dn: Its naming context.
        netbios: Its NetBIOS name.
        level: Its functional level; None when it cannot be seen.
        parent: DNS name of the domain it is a child of; empty for the root of a tree.
    """

    name: str
    dn: str
    netbios: str
    level: int | None
    parent: str


@dataclass(frozen=True, slots=True)
class ListedController:
    """A domain controller as the configuration naming context lists it.

    Attributes:
        host: Its DNS name.
        domain: DNS name of its domain.
        site: Name of its site.
        level: msDS-Behavior-Version; None when it cannot be seen.
        read_only: An RODC.
        global_catalog: Whether it holds a part of every domain.
        dsa: objectGUID of its nTDSDSA in text form; its agent's distinguished name is ``agent``.
        agent: Distinguished name of its nTDSDSA.
        computer: Distinguished name of its computer object.
    """

    host: str
    domain: str
    site: str
    level: int | None
    read_only: bool
    global_catalog: bool
    dsa: str
    agent: str
    computer: str


@dataclass(frozen=True, slots=True)
class Forest:
    """What the forest says of itself.

    Attributes:
        root: DNS name of its root domain.
        level: Its functional level.
        schema: objectVersion of its schema; None when it cannot be seen.
        domains: Its domains, the root first.
        controllers: Its domain controllers, by domain, site and name.
    """

    root: str
    level: int
    schema: int | None
    domains: tuple[ForestDomain, ...]
    controllers: tuple[ListedController, ...]


def describe(
    root_dn: str,
    level: int,
    schema: int | None,
    partitions: Iterable[Row],
    servers: Iterable[Row],
    agents: Iterable[Row],
) -> Forest:
    """Put a forest together.

    Args:
        root_dn: Distinguished name of its root domain.
        level: Its functional level.
        schema: Version of its schema.
        partitions: The crossRef objects, with ``CROSS_REF``.
        servers: The server objects below Sites, with ``SERVER``.
        agents: The nTDSDSA objects, with ``AGENT``. A server without one is no domain controller (any more).
    """
    by_dn: dict[str, ForestDomain] = {}
    parents: dict[str, str] = {}
    for dn, entry in partitions:
        if not _number(entry, "systemFlags", 0) & CR_NTDS_DOMAIN:
            continue
        context = _text(entry, "nCName")
        name = _text(entry, "dnsRoot") or dns_name(context)
        parents[one_spelling(dn)] = name
        domain = ForestDomain(
            name.lower(), context, _text(entry, "nETBIOSName"), _level(entry), _text(entry, "trustParent")
        )
        by_dn[one_spelling(context)] = domain
    root = dns_name(root_dn)
    domains = [
        ForestDomain(each.name, each.dn, each.netbios, each.level, parents.get(one_spelling(each.parent), "").lower())
        for each in by_dn.values()
    ]
    known = {one_spelling(dn): entry for dn, entry in servers}
    controllers = [made for dn, entry in agents if (made := _controller(dn, entry, known, by_dn)) is not None]
    return Forest(
        root,
        level,
        schema,
        tuple(sorted(domains, key=lambda each: (each.name != root, each.name))),
        tuple(sorted(controllers, key=lambda each: (each.domain != root, each.domain, each.site, each.host))),
    )


def dns_name(dn: str) -> str:
    """The DNS name of a naming context: the values of its DC components, joined; empty when it has none."""
    try:
        parts = ldap.dn.str2dn(dn)
    except ldap.DECODING_ERROR:
        return ""
    return ".".join(part[1] for rdn in parts for part in rdn if part[0].upper() == "DC").lower()


def _controller(
    dn: str,
    entry: Mapping[str, Sequence[bytes]],
    servers: Mapping[str, Mapping[str, Sequence[bytes]]],
    domains: Mapping[str, ForestDomain],
) -> ListedController | None:
    """``CN=NTDS Settings,CN=<server>,CN=Servers,CN=<site>,CN=Sites,…``"""
    parts = ldap.dn.str2dn(dn)
    server = servers.get(one_spelling(ldap.dn.dn2str(parts[1:])), {})
    host, computer = _text(server, "dNSHostName").rstrip(".").lower(), _text(server, "serverReference")
    if not host or len(parts) < 4:
        return None  # what is left of one that was taken away
    domain = _domain_of(computer, domains) or next(
        (d for d in domains.values() if d.name == host.partition(".")[2]), None
    )
    guid = next(iter(entry.get("objectGUID", ())), b"")
    return ListedController(
        host=host,
        domain=domain.name if domain is not None else "",
        site=parts[3][0][1],
        level=_level(entry),
        read_only=_text(entry, "objectCategory").upper().startswith("CN=NTDS-DSA-RO,"),
        global_catalog=bool(_number(entry, "options", 0) & NTDSDSA_OPT_IS_GC),
        dsa=guid_text(guid) if len(guid) == 16 else "",
        agent=dn,
        computer=computer,
    )


def _domain_of(dn: str, domains: Mapping[str, ForestDomain]) -> ForestDomain | None:
    """The domain that an object is in: that of the longest naming context that its name ends with."""
    try:
        parts = ldap.dn.str2dn(dn)
    except ldap.DECODING_ERROR:
        return None
    for start in range(len(parts)):
        found = domains.get(one_spelling(ldap.dn.dn2str(parts[start:])))
        if found is not None:
            return found
    return None


def _text(entry: Mapping[str, Sequence[bytes]], name: str) -> str:
    values = entry.get(name, ())
    return values[0].decode("utf-8", "replace") if values else ""


def _number(entry: Mapping[str, Sequence[bytes]], name: str, otherwise: int) -> int:
    try:
        return int(_text(entry, name))
    except ValueError:
        return otherwise


def _level(entry: Mapping[str, Sequence[bytes]]) -> int | None:
    level = _number(entry, "msDS-Behavior-Version", -1)
    return level if level >= 0 else None
