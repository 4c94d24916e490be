"""Whether a host takes TCP connections from here."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from keytrust.directory.connection import needs_ticket
from keytrust.directory.settings import DirectorySettings, Security

KERBEROS, LDAP, LDAPS = 88, 389, 636


def needed_ports(settings: DirectorySettings) -> tuple[int, ...]:
    """The TCP ports of a domain controller without which keytrust cannot work there."""
    ldap = LDAPS if settings.security is Security.LDAPS else LDAP
    return (KERBEROS, ldap) if needs_ticket(settings) else (ldap,)


def connections(host: str, ports: Iterable[int], timeout: float) -> dict[int, str]:
    """For each port why no connection was had, or nothing when one was.

    Args:
        host: The host.
        ports: Which.
        timeout: Seconds for all of them.
    """
    wanted = tuple(ports)
    return {port: _fault(host, port, timeout / len(wanted)) for port in wanted}


def _fault(host: str, port: int, timeout: float) -> str:
    try:
        socket.create_connection((host, port), timeout).close()
    except TimeoutError:
        return f"no connection within {timeout:g} s"
    except socket.gaierror:
        return "its name has no address here"
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
