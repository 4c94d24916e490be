"""Reading all facts, once, concurrently and within a limit of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keytrust.cloud.source import KeySource
from keytrust.config import Settings
from keytrust.deploy.checks.facts import ControllerFacts, Listing, Unread
from keytrust.deploy.checks.world import Facts
from keytrust.deploy.reading.cloud import read_cloud, read_pairings
from keytrust.deploy.reading.crl import read_crls
from keytrust.deploy.reading.dns import SERVICES, service_hosts
from keytrust.deploy.reading.kdc import ask_tcp, ask_udp
from keytrust.deploy.reading.key_trial import KeyNobodyHas
from keytrust.deploy.reading.pace import Pace
from keytrust.deploy.reading.ports import connections, needed_ports
from keytrust.deploy.reading.rootdse import read_root
from keytrust.deploy.reading.signed_in import read_directory
from keytrust.deploy.reading.tls import Port, shown_certificate, trust
from keytrust.directory.errands import Errands
from keytrust.directory.settings import DirectorySettings

_WORKERS = 120


def gather(
    settings: Settings,
    directory: DirectorySettings,
    pace: Pace,
    report: Callable[[str], None],
    source: KeySource | Unread,
) -> Facts:
    """Read everything that the checks judge of one domain. What cannot be read is a fact too, never an exception.

    Args:
        settings: The configuration.
        directory: The domain's part of it.
        pace: How long to wait.
        report: Told what is being done.
        source: The place where keys are registered, or why there is none.
    """
    anchors = settings.signin.kdc_ca_file or directory.ca_file
    name, _, realm = (directory.principal or "").partition("@")
    errands: Errands[tuple[str, str], Any] = Errands(_WORKERS)
    for host in directory.servers:
        _send(errands, host, anchors, pace.answer)
    if not isinstance(source, Unread):
        tenant = (settings.cloud.tenant_id if settings.cloud else None) or ""
        errands.send(("cloud", "ways"), lambda: read_cloud(source, tenant))
    report("signing in and reading the directory")
    found = read_directory(directory, pace)
    deadline = time.monotonic() + pace.total
    users = found.users
    if not isinstance(source, Unread) and not isinstance(users, Unread):
        errands.send(("cloud", "pairings"), lambda: read_pairings(source, users.sample))
    listings = found.listings
    hosts = [host.lower() for host in directory.servers]
    if not isinstance(listings, Unread):
        hosts = [*listings, *(host for host in hosts if host not in listings)]
    report(f"asking {len(hosts)} domain controllers")
    domain_name = directory.dns_name if isinstance(found.domain, Unread) else found.domain.name
    for host in hosts:
        _send_ports(errands, host, directory, pace.answer)
        _send(errands, host, anchors, pace.answer)
        _send_kerberos(errands, host, name or "krbtgt", found.realm or realm.upper(), pace.answer)
    _send_keys(errands, hosts, name or "krbtgt", found.realm or realm.upper(), pace.answer)
    for service in SERVICES if domain_name and hosts else ():
        _send_dns(errands, service, domain_name or "", [*directory.servers, *hosts][0], pace.answer)
    answers = errands.collect(deadline - pace.answer)
    controllers = tuple(_controllers(hosts, listings, answers, pace))
    report("fetching revocation lists")
    missing = Unread("the configuration and the directory do not say which domain")
    late = _late(pace)
    none = source if isinstance(source, Unread) else late
    return Facts(
        now=datetime.now(UTC),
        domain=found.domain,
        controllers=controllers,
        complete=listings if isinstance(listings, Unread) else None,
        pki=found.pki,
        crls=read_crls(controllers, found.pki, anchors, deadline, pace.answer),
        records={each: answers.get(("dns", each), late if domain_name else missing) for each in SERVICES},
        connector=found.connector,
        rights=found.rights,
        overgrant=found.overgrant,
        users=users,
        registration=found.registration,
        policies=found.policies,
        cloud=answers.get(("cloud", "ways"), none),
        pairings=answers.get(
            ("cloud", "pairings"), users if isinstance(users, Unread) and not isinstance(source, Unread) else none
        ),
    )


def _send_dns(errands: Errands[tuple[str, str], Any], service: str, domain: str, server: str, timeout: float) -> None:
    # Two resolvers may be asked, one after the other.
    errands.send(("dns", service), lambda: service_hosts(service, domain, server, timeout / 2))


def _send(errands: Errands[tuple[str, str], Any], host: str, anchors: Path | None, timeout: float) -> None:
    host = host.lower()
    errands.send((host, "root"), lambda: read_root(host, timeout))
    errands.send((host, "ldaps"), lambda: shown_certificate(host, Port.LDAPS, timeout))
    errands.send((host, "starttls"), lambda: shown_certificate(host, Port.LDAP, timeout))
    errands.send((host, "trust"), lambda: trust(host, anchors, timeout))


def _send_kerberos(errands: Errands[tuple[str, str], Any], host: str, name: str, realm: str, timeout: float) -> None:
    errands.send((host, "kdc_tcp"), lambda: ask_tcp(host, name, realm, timeout))
    errands.send((host, "kdc_udp"), lambda: ask_udp(host, name, realm, timeout))


def _send_ports(
    errands: Errands[tuple[str, str], Any], host: str, directory: DirectorySettings, timeout: float
) -> None:
    errands.send((host, "ports"), lambda: connections(host, needed_ports(directory), timeout))


def _send_keys(
    errands: Errands[tuple[str, str], Any], hosts: Iterable[str], name: str, realm: str, timeout: float
) -> None:
    # Last, since each takes a program of its own: what is asked by a socket shall not wait for them.
    stranger = KeyNobodyHas(name, realm, timeout)
    for host in hosts:
        errands.send((host, "kdc_key"), lambda host=host: stranger.try_at(host))  # type: ignore[misc]


def _controllers(
    hosts: Iterable[str], listings: Mapping[str, Listing] | Unread, answers: Mapping[tuple[str, str], Any], pace: Pace
) -> Iterable[ControllerFacts]:
    late = _late(pace)
    parts = ("root", "ldaps", "starttls", "trust", "kdc_tcp", "kdc_udp", "kdc_key", "ports")
    for host in hosts:
        listing: Listing | Unread = (
            listings
            if isinstance(listings, Unread)
            else listings.get(host) or Unread("the directory lists no domain controller of this name")
        )
        yield ControllerFacts(host, listing, **{part: answers.get((host, part), late) for part in parts})


def _late(pace: Pace) -> Unread:
    return Unread(f"no answer within the {pace.total:g} s that this may take")
