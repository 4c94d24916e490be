"""The domain controllers of one domain, as its directory lists them, and how to ask a single one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ldap
import ldap.dn

from keytrust.directory.account import Entry
from keytrust.directory.session import Session

DOMAIN_CONTROLLERS = "(|(primaryGroupID=516)(primaryGroupID=521))"
"""Computers of the groups Domain Controllers and Read-only Domain Controllers ([MS-ADTS] 6.1.1.6)."""
UF_SERVER_TRUST = 0x2000
UF_PARTIAL_SECRETS = 0x04000000
"""userAccountControl bits of a domain controller and of a read-only one, [MS-ADTS] 2.2.16."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A domain controller that holds the domain.

    Attributes:
        host: Its DNS name.
        read_only: An RODC, to which values only come by replication.
        system: Its operating system as it registered it; empty when it did not.
    """

    host: str
    read_only: bool
    system: str = ""


def replicas_of(session: Session, domain_dn: str) -> tuple[Replica, ...]:
    """Every domain controller of the domain, by host name.

    Raises:
        DirectoryError: they could not be read.
    """
    names = ("dNSHostName", "cn", "userAccountControl", "operatingSystem")
    found = session.search(domain_dn, ldap.SCOPE_SUBTREE, DOMAIN_CONTROLLERS, names)
    suffix = ".".join(part[1] for rdn in ldap.dn.str2dn(domain_dn) for part in rdn)
    made = (_replica(entry, suffix) for _, entry in found)
    return tuple(sorted((each for each in made if each is not None), key=lambda each: each.host))


def same_host(one: str, other: str) -> bool:
    """Whether two DNS names are one host's."""
    return one.rstrip(".").casefold() == other.rstrip(".").casefold()


def _replica(entry: Entry, suffix: str) -> Replica | None:
    lower = {name.lower(): values for name, values in entry.items()}
    control = _number(lower.get("useraccountcontrol", ()))
    if not control & (UF_SERVER_TRUST | UF_PARTIAL_SECRETS):
        return None
    host = _text(lower.get("dnshostname", ())) or f"{_text(lower.get('cn', ())).lower()}.{suffix}"
    return Replica(host, bool(control & UF_PARTIAL_SECRETS), _text(lower.get("operatingsystem", ())))


def _text(values: Sequence[bytes]) -> str:
    return values[0].decode("utf-8", "replace") if values else ""


def _number(values: Sequence[bytes]) -> int:
    text = _text(values)
    return int(text) if text.isascii() and text.isdigit() else 0
