"""Reading all facts, once, concurrently and within a limit of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keytrust.config import Settings
from keytrust.deploy.checks.facts import ControllerFacts, DomainFacts, Facts, Listing, Unread
from keytrust.deploy.reading.directory import read_domain, read_listings
from keytrust.deploy.reading.kdc import ask_tcp, ask_udp
from keytrust.deploy.reading.rootdse import read_root
from keytrust.deploy.reading.tls import Port, shown_certificate, trust
from keytrust.directory.domain import Domain
from keytrust.directory.errands import Errands
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import KeytrustError

_WORKERS = 120
ANSWER_SECONDS = 4.0
"""How long one answer may take, unless the operator says otherwise."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait.

    Attributes:
        answer: Seconds for one answer.
        total: Seconds for all domain controllers together, after the directory has named them.
    """

    answer: float = ANSWER_SECONDS
    total: float = 12.0


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """What one signed-in session reads.

    Attributes:
        domain: The domain.
        listings: Its domain controllers by DNS name.
        realm: Its Kerberos realm.
    """

    domain: DomainFacts | Unread
    listings: Mapping[str, Listing] | Unread
    realm: str


def gather(settings: Settings, pace: Pace, report: Callable[[str], None]) -> Facts:
    """Read everything that the checks judge. What cannot be read is a fact of its own, never an exception.

    Raises:
        ConfigError: the configuration does not say which domain.
    """
    directory = settings.need_directory()
    anchors = settings.signin.kdc_ca_file or directory.ca_file
    name, _, realm = (directory.principal or "").partition("@")
    errands: Errands[tuple[str, str], Any] = Errands(_WORKERS)
    for host in directory.servers:
        _send(errands, host, anchors, pace.answer)
    report("signing in and reading the directory")
    found = read_directory(directory, pace)
    listings = found.listings
    hosts = [host.lower() for host in directory.servers]
    if not isinstance(listings, Unread):
        hosts = [*listings, *(host for host in hosts if host not in listings)]
    report(f"asking {len(hosts)} domain controllers")
    for host in hosts:
        _send(errands, host, anchors, pace.answer)
        _send_kerberos(errands, host, name or "krbtgt", found.realm or realm.upper(), pace.answer)
    answers = errands.collect(time.monotonic() + pace.total)
    return Facts(
        now=datetime.now(UTC),
        domain=found.domain,
        controllers=tuple(_controllers(hosts, listings, answers, pace)),
        complete=listings if isinstance(listings, Unread) else None,
    )


def read_directory(settings: DirectorySettings, pace: Pace) -> DirectoryFacts:
    """Sign in and read what the directory says; when that fails, why."""
    bounded = settings.model_copy(update={"timeout": min(settings.timeout, pace.answer)})
    try:
        with Domain(bounded) as domain, domain.session() as session:
            return DirectoryFacts(
                read_domain(session, domain.controller, domain.name),
                read_listings(session, domain.controller),
                domain.name.upper(),
            )
    except KeytrustError as error:
        why = Unread(f"the directory could not be read: {error.message}")
        return DirectoryFacts(why, why, "")


def _send(errands: Errands[tuple[str, str], Any], host: str, anchors: Path | None, timeout: float) -> None:
    host = host.lower()
    errands.send((host, "root"), lambda: read_root(host, timeout))
    errands.send((host, "ldaps"), lambda: shown_certificate(host, Port.LDAPS, timeout))
    errands.send((host, "starttls"), lambda: shown_certificate(host, Port.LDAP, timeout))
    errands.send((host, "trust"), lambda: trust(host, anchors, timeout))


def _send_kerberos(errands: Errands[tuple[str, str], Any], host: str, name: str, realm: str, timeout: float) -> None:
    errands.send((host, "kdc_tcp"), lambda: ask_tcp(host, name, realm, timeout))
    errands.send((host, "kdc_udp"), lambda: ask_udp(host, name, realm, timeout))


def _controllers(
    hosts: Iterable[str], listings: Mapping[str, Listing] | Unread, answers: Mapping[tuple[str, str], Any], pace: Pace
) -> Iterable[ControllerFacts]:
    late = Unread(f"no answer within the {pace.total:g} s that this may take")
    parts = ("root", "ldaps", "starttls", "trust", "kdc_tcp", "kdc_udp")
    for host in hosts:
        listing: Listing | Unread = (
            listings
            if isinstance(listings, Unread)
            else listings.get(host) or Unread("the directory lists no domain controller of this name")
        )
        yield ControllerFacts(host, listing, **{part: answers.get((host, part), late) for part in parts})
