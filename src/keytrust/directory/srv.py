"""Domain controllers by DNS: the SRV records that every one of them registers ([MS-ADTS] 6.3.2.3)."""

from __future__ import annotations

from collections.abc import Sequence

import dns.exception
import dns.resolver

from keytrust.errors import DirectoryError


def controllers(
    domain: str, site: str | None = None, nameservers: Sequence[str] = (), timeout: float = 5.0
) -> list[str]:
    """Host names of the domain's controllers, those of the site first, else in the order of priority and weight.

    Args:
        domain: The domain's DNS name.
        site: The site to prefer.
        nameservers: Addresses of DNS servers; the machine's own when left out.
        timeout: Seconds for each look-up.

    Raises:
        DirectoryError: DNS does not know of any.
    """
    names = [f"_ldap._tcp.dc._msdcs.{domain}"]
    if site:
        names.insert(0, f"_ldap._tcp.{site}._sites.dc._msdcs.{domain}")
    found: dict[str, None] = {}
    fault: Exception | None = None
    for name in names:
        try:
            found.update(dict.fromkeys(lookup(name, nameservers, timeout)))
        except (dns.exception.DNSException, OSError) as error:
            fault = error
    if not found:
        raise DirectoryError(
            f"DNS names no domain controller of {domain}.",
            not_done="Nothing was read or changed.",
            remedy="Name servers in the configuration, or let this machine ask the domain's DNS servers.",
            detail=f"{names[-1]}: {fault}" if fault else "",
        )
    return list(found)


def primary(domain: str, nameservers: Sequence[str] = (), timeout: float = 5.0) -> str | None:
    """Host name of the domain's PDC emulator; None when DNS does not tell."""
    try:
        return next(iter(lookup(f"_ldap._tcp.pdc._msdcs.{domain}", nameservers, timeout)), None)
    except (dns.exception.DNSException, OSError):
        return None


def lookup(name: str, nameservers: Sequence[str], timeout: float) -> list[str]:
    """The targets of SRV records, in the order in which they are to be tried (RFC 2782)."""
    resolver = dns.resolver.Resolver(configure=not nameservers)
    if nameservers:
        resolver.nameservers = list(nameservers)
    answer = resolver.resolve(name, "SRV", lifetime=timeout, search=False)
    records = sorted(answer, key=lambda record: (record.priority, -record.weight))
    return [record.target.to_text(omit_final_dot=True).lower() for record in records]
