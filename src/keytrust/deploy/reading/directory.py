"""What the directory says of the domain, over one signed-in session."""

from __future__ import annotations

import ldap
import ldap.dn

from keytrust.deploy.checks.facts import DomainFacts, Listing
from keytrust.deploy.reading.rows import first, integer, rows, text
from keytrust.directory.account import KEY_LINK, guid_text
from keytrust.directory.controller import DomainController
from keytrust.directory.session import Session
from keytrust.directory.spelling import one_spelling

_RDNS_ABOVE_SITE = 3
"""``CN=NTDS Settings,CN=<server>,CN=Servers,CN=<site>,…``: how many names stand before the site's."""


def read_domain(session: Session, controller: DomainController, name: str) -> DomainFacts:
    """The functional levels and the schema.

    Raises:
        DirectoryError: the directory did not answer.
    """
    schema = rows(session, controller.schema, ldap.SCOPE_BASE, "(objectClass=*)", ["objectVersion"])
    version = next((integer(entry, "objectversion") for _, entry in schema), None)
    link = None
    wanted = f"(lDAPDisplayName={KEY_LINK})"
    for _, entry in rows(session, controller.schema, ldap.SCOPE_ONELEVEL, wanted, ["schemaIDGUID", "isDefunct"]):
        if text(entry, "isdefunct").upper() != "TRUE" and len(first(entry, "schemaidguid")) == 16:
            link = guid_text(first(entry, "schemaidguid"))
    return DomainFacts(name, controller.domain_level, controller.forest_level, version, link)


def read_listings(session: Session, controller: DomainController) -> dict[str, Listing]:
    """The domain controllers of this domain, by DNS name, from the sites and from their computer objects.

    Raises:
        DirectoryError: the directory did not answer.
    """
    computers = {
        one_spelling(dn): entry
        for dn, entry in rows(
            session,
            controller.domain,
            ldap.SCOPE_SUBTREE,
            "(|(primaryGroupID=516)(primaryGroupID=521))",  # Domain Controllers, Read-only Domain Controllers
            ["operatingSystem", "operatingSystemVersion", "dNSHostName"],
        )
    }
    sites = f"CN=Sites,{controller.configuration}"
    servers = {
        one_spelling(dn): entry
        for dn, entry in rows(
            session, sites, ldap.SCOPE_SUBTREE, "(objectClass=server)", ["dNSHostName", "serverReference"]
        )
    }
    found: dict[str, Listing] = {}
    wanted = ["msDS-Behavior-Version", "objectCategory", "objectGUID"]
    for dn, agent in rows(session, sites, ldap.SCOPE_SUBTREE, "(objectClass=nTDSDSA)", wanted):
        parts = ldap.dn.str2dn(dn)
        server = servers.get(one_spelling(ldap.dn.dn2str(parts[1:])), {})
        computer = computers.get(one_spelling(text(server, "serverreference")))
        host = text(server, "dnshostname") or (text(computer, "dnshostname") if computer else "")
        if computer is None or not host:
            continue  # a domain controller of another domain of the forest, or the remains of one
        found[host.lower()] = Listing(
            site=parts[_RDNS_ABOVE_SITE][0][1] if len(parts) > _RDNS_ABOVE_SITE else "",
            level=integer(agent, "msds-behavior-version"),
            system=text(computer, "operatingsystem"),
            version=text(computer, "operatingsystemversion"),
            read_only=text(agent, "objectcategory").upper().startswith("CN=NTDS-DSA-RO,"),
            guid=guid_text(first(agent, "objectguid")) if len(first(agent, "objectguid")) == 16 else "",
        )
    return found
