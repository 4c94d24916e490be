"""Finding a forest from one of its domain controllers, and asking each of the others how it is.

What the forest says comes over a signed-in session. What each domain controller says of itself is asked of all at once,
without signing in: that is a look, and nothing is ever decided by it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import ldap

from keytrust.directory import faults, srv
from keytrust.directory.controller import ROOT_DSE, DomainController, from_root_dse, time_of
from keytrust.directory.domain import Domain
from keytrust.directory.errands import Errands
from keytrust.directory.forest import AGENT, CROSS_REF, SERVER, Forest, ListedController, Row, describe
from keytrust.directory.session import Session
from keytrust.errors import DirectoryError

WORKERS = 100
_HALF_A_SECOND = 0.5
"""currentTime has whole seconds, cut off: on average it is this much behind."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a domain controller answered.

    Attributes:
        said: What it says of itself; None when it could not be asked.
        offset: Its clock less ours, in seconds; None when it does not say the time.
        fault: Why it could not be asked.
    """

    said: DomainController | None
    offset: float | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A domain controller: as it is listed, and as it answered.

    Attributes:
        listed: As the forest lists it.
        system: Its operating system as its computer object tells, where that can be read.
        primary: Whether it is the PDC emulator of its domain.
        condition: How it answered.
        in_dns: Whether DNS names it; None when DNS could not be asked.
    """

    listed: ListedController
    system: str
    primary: bool
    condition: Condition
    in_dns: bool | None


@dataclass(frozen=True, slots=True)
class Discovery:
    """A forest and its domain controllers.

    Attributes:
        forest: What it says of itself.
        controllers: Its domain controllers.
        only_in_dns: Hosts that DNS names and the forest does not list, by domain.
    """

    forest: Forest
    controllers: tuple[Seen, ...]
    only_in_dns: Mapping[str, tuple[str, ...]]


def discover(domain: Domain, *, answer: float = 4.0, total: float = 12.0, nameservers: Sequence[str] = ()) -> Discovery:
    """Find the forest of a domain.

    Args:
        domain: An open domain; what its domain controller says is where this begins.
        answer: Seconds for one answer of a domain controller or DNS server.
        total: Seconds for all together, after the forest has named them. Who has not answered by then has not answered.
        nameservers: Addresses of DNS servers; the machine's own when left out.

    Raises:
        DirectoryError: the forest could not be read.
    """
    with domain.session() as session:
        controller = session.controller()
        forest = read_forest(session, controller)
        systems = dict(_systems(session, controller))
        primaries = {domain.name.casefold(): _primary(session, controller)}
    asked: Errands[str, Condition] = Errands(WORKERS)
    by_dns: Errands[str, frozenset[str] | None] = Errands(WORKERS)
    pdcs: Errands[str, str | None] = Errands(WORKERS)
    for each in forest.domains:
        by_dns.send(each.name, lambda name=each.name: _named(name, nameservers, answer))  # type: ignore[misc]
        if each.name not in primaries:
            pdcs.send(each.name, lambda name=each.name: srv.primary(name, nameservers, answer))  # type: ignore[misc]
    for listed in forest.controllers:
        asked.send(listed.host, lambda host=listed.host: ask(host, answer))  # type: ignore[misc]
    deadline = time.monotonic() + total
    conditions, named, found = asked.collect(deadline), by_dns.collect(deadline), pdcs.collect(deadline)
    late = Condition(None, fault=f"no answer within the {total:g} s that this may take")
    seen = tuple(
        Seen(
            listed,
            systems.get(listed.host, ""),
            _is_primary(listed, primaries.get(listed.domain, ""), found.get(listed.domain)),
            conditions.get(listed.host, late),
            None if (hosts := named.get(listed.domain)) is None else listed.host in hosts,
        )
        for listed in forest.controllers
    )
    known = {listed.host for listed in forest.controllers}
    return Discovery(forest, seen, {name: tuple(sorted(hosts - known)) for name, hosts in named.items() if hosts})


def read_forest(session: Session, controller: DomainController) -> Forest:
    """What the configuration naming context says, which every domain controller of a forest holds.

    Raises:
        DirectoryError: it could not be read.
    """
    partitions, sites = f"CN=Partitions,{controller.configuration}", f"CN=Sites,{controller.configuration}"
    schema = next(iter(_rows(session, controller.schema, ldap.SCOPE_BASE, "(objectClass=*)", ("objectVersion",))), None)
    version = schema[1].get("objectVersion", (b"",))[0] if schema is not None else b""
    return describe(
        _root(session),
        controller.forest_level,
        int(version) if version.isdigit() else None,
        _rows(session, partitions, ldap.SCOPE_ONELEVEL, "(objectClass=crossRef)", CROSS_REF),
        _rows(session, sites, ldap.SCOPE_SUBTREE, "(objectClass=server)", SERVER),
        _rows(session, sites, ldap.SCOPE_SUBTREE, "(objectClass=nTDSDSA)", AGENT),
    )


def ask(host: str, timeout: float, port: int = 389) -> Condition:
    """Ask one domain controller for its rootDSE, which needs no sign-in and tells nobody anything secret."""
    connection = ldap.initialize(f"ldap://{host}:{port}", bytes_mode=False)
    for option in (ldap.OPT_NETWORK_TIMEOUT, ldap.OPT_TIMEOUT):
        connection.set_option(option, timeout)
    connection.set_option(ldap.OPT_REFERRALS, 0)
    try:
        found = connection.search_ext_s("", ldap.SCOPE_BASE, attrlist=list(ROOT_DSE), timeout=timeout)
        now = datetime.now(UTC)
        entry = found[0][1] if found else {}
        said = from_root_dse(host, entry)
        then = time_of(entry)
        return Condition(said, None if then is None else (then - now).total_seconds() + _HALF_A_SECOND)
    except ldap.LDAPError as error:
        return Condition(None, fault=f"no answer on port {port}: {faults.words(error)}")
    except DirectoryError as error:
        return Condition(None, fault=error.message)
    finally:
        with suppress(ldap.LDAPError):
            connection.unbind_ext()


def _root(session: Session) -> str:
    for _, entry in _rows(session, "", ldap.SCOPE_BASE, "(objectClass=*)", ("rootDomainNamingContext",)):
        return entry.get("rootDomainNamingContext", (b"",))[0].decode("utf-8", "replace")
    return ""


def _systems(session: Session, controller: DomainController) -> Iterator[tuple[str, str]]:
    wanted = ("dNSHostName", "operatingSystem", "operatingSystemVersion")
    which = "(|(primaryGroupID=516)(primaryGroupID=521))"  # Domain Controllers, Read-only Domain Controllers
    for _, entry in _rows(session, controller.domain, ldap.SCOPE_SUBTREE, which, wanted):
        host, *system = (entry.get(name, (b"",))[0].decode("utf-8", "replace") for name in wanted)
        yield host.lower(), " ".join(part for part in system if part)


def _primary(session: Session, controller: DomainController) -> str:
    for _, entry in _rows(session, controller.domain, ldap.SCOPE_BASE, "(objectClass=*)", ("fSMORoleOwner",)):
        return entry.get("fSMORoleOwner", (b"",))[0].decode("utf-8", "replace")
    return ""


def _is_primary(listed: ListedController, owner: str, by_dns: str | None) -> bool:
    return listed.agent.casefold() == owner.casefold() if owner else listed.host == by_dns


def _named(domain: str, nameservers: Sequence[str], timeout: float) -> frozenset[str] | None:
    try:
        return frozenset(srv.controllers(domain, None, nameservers, timeout))
    except DirectoryError:
        return None


def _rows(session: Session, base: str, scope: int, filter_text: str, wanted: Sequence[str]) -> Iterator[Row]:
    """As ``search``, with attributes under the names that were asked for, however the server spells them."""
    spelt = {name.lower(): name for name in wanted}
    for dn, entry in session.search_whole(base, scope, filter_text, wanted, paged=scope != ldap.SCOPE_BASE):
        yield dn, {spelt.get(name.lower(), name): values for name, values in entry.items()}
