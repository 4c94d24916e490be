"""Service records, asked of a domain controller's own DNS or of this machine's resolver."""

from __future__ import annotations

import socket

import dns.exception
import dns.resolver

from keytrust.deploy.checks.facts import Unread

SERVICES = ("_ldap._tcp.dc._msdcs", "_kerberos._tcp.dc._msdcs", "_kerberos._tcp", "_kerberos._udp")
"""What devices look up to find a domain controller and its KDC ([MS-ADTS] 6.3.2.3)."""


def service_hosts(service: str, domain: str, server: str, timeout: float) -> frozenset[str] | Unread:
    """The hosts that offer a service of the domain, in lower case.

    Args:
        service: One of ``SERVICES``.
        domain: DNS name of the domain.
        server: The domain controller to ask. When it has no DNS service, this machine's resolver is asked.
        timeout: Seconds for each of the two.
    """
    faults = []
    silent = False
    for resolver, called in ((_at(server), server), (_own(), "this machine's resolver")):
        if resolver is None:
            silent = True
            faults.append(f"{called}: not to be had")
            continue
        try:
            answer = resolver.resolve(f"{service}.{domain}.", "SRV", lifetime=timeout, search=False)
            return frozenset(str(record.target).rstrip(".").lower() for record in answer)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            if not silent:
                return frozenset()
            # That another resolver knows nothing of the domain says nothing of what the silent one would have said.
            faults.append(f"{called}: no such records")
        except dns.exception.Timeout:
            silent = True
            faults.append(f"{called}: no answer within {timeout:g} s")
        except (dns.exception.DNSException, OSError) as error:
            faults.append(f"{called}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    return Unread("; ".join(faults))


def _at(server: str) -> dns.resolver.Resolver | None:
    try:
        address = socket.getaddrinfo(server, 53, type=socket.SOCK_DGRAM)[0][4][0]
    except (OSError, UnicodeError):
        return None
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [str(address)]
    return resolver


def _own() -> dns.resolver.Resolver | None:
    try:
        return dns.resolver.Resolver()
    except dns.exception.DNSException:
        return None
