"""What the directory says of the domain, over one signed-in session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import ldap
import ldap.dn

from keytrust.deploy.checks.facts import DomainFacts, Listing
from keytrust.directory.account import KEY_LINK, guid_text
from keytrust.directory.controller import DomainController
from keytrust.directory.session import Session

Attributes = Mapping[str, Sequence[bytes]]
_RDNS_ABOVE_SITE = 3
"""``CN=NTDS Settings,CN=<server>,CN=Servers,CN=<site>,…``: how many names stand before the site's."""


def read_domain(session: Session, controller: DomainController, name: str) -> DomainFacts:
    """The functional levels and the schema.

    Raises:
        DirectoryError: the directory did not answer.
    """
    version = next((_integer(entry, "objectversion") for _, entry in _base(session, controller.schema)), None)
    link = None
    wanted = f"(lDAPDisplayName={KEY_LINK})"
    for _, entry in _rows(session, controller.schema, ldap.SCOPE_ONELEVEL, wanted, ["schemaIDGUID", "isDefunct"]):
        if _text(entry, "isdefunct").upper() != "TRUE" and len(_first(entry, "schemaidguid")) == 16:
            link = guid_text(_first(entry, "schemaidguid"))
    return DomainFacts(name, controller.domain_level, controller.forest_level, version, link)


def read_listings(session: Session, controller: DomainController) -> dict[str, Listing]:
    """The domain controllers of this domain, by DNS name, from the sites and from their computer objects.

    Raises:
        DirectoryError: the directory did not answer.
    """
    computers = {
        dn.lower(): entry
        for dn, entry in _rows(
            session,
            controller.domain,
            ldap.SCOPE_SUBTREE,
            "(|(primaryGroupID=516)(primaryGroupID=521))",  # Domain Controllers, Read-only Domain Controllers
            ["operatingSystem", "operatingSystemVersion", "dNSHostName"],
        )
    }
    sites = f"CN=Sites,{controller.configuration}"
    servers = {
        dn.lower(): entry
        for dn, entry in _rows(
            session, sites, ldap.SCOPE_SUBTREE, "(objectClass=server)", ["dNSHostName", "serverReference"]
        )
    }
    found: dict[str, Listing] = {}
    wanted = ["msDS-Behavior-Version", "objectCategory", "objectGUID"]
    for dn, agent in _rows(session, sites, ldap.SCOPE_SUBTREE, "(objectClass=nTDSDSA)", wanted):
        parts = ldap.dn.str2dn(dn)
        server = servers.get(ldap.dn.dn2str(parts[1:]).lower(), {})
        computer = computers.get(_text(server, "serverreference").lower())
        host = _text(server, "dnshostname") or (_text(computer, "dnshostname") if computer else "")
        if computer is None or not host:
            continue  # a domain controller of another domain of the forest, or the remains of one
        found[host.lower()] = Listing(
            site=parts[_RDNS_ABOVE_SITE][0][1] if len(parts) > _RDNS_ABOVE_SITE else "",
            level=_integer(agent, "msds-behavior-version"),
            system=_text(computer, "operatingsystem"),
            version=_text(computer, "operatingsystemversion"),
            read_only=_text(agent, "objectcategory").upper().startswith("CN=NTDS-DSA-RO,"),
            guid=guid_text(_first(agent, "objectguid")) if len(_first(agent, "objectguid")) == 16 else "",
        )
    return found


def _base(session: Session, dn: str) -> Iterator[tuple[str, Attributes]]:
    return _rows(session, dn, ldap.SCOPE_BASE, "(objectClass=*)", ["objectVersion"])


def _rows(
    session: Session, base: str, scope: int, filter_text: str, attributes: Sequence[str]
) -> Iterator[tuple[str, Attributes]]:
    for dn, entry in session.search(base, scope, filter_text, attributes, paged=scope != ldap.SCOPE_BASE):
        yield dn, {name.lower(): values for name, values in entry.items()}


def _first(entry: Attributes, name: str) -> bytes:
    values = entry.get(name)
    return values[0] if values else b""


def _text(entry: Attributes, name: str) -> str:
    return _first(entry, name).decode("utf-8", "replace")


def _integer(entry: Attributes, name: str) -> int | None:
    value = _first(entry, name)
    return int(value) if value.isdigit() else None
