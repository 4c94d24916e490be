"""Asking each domain controller of the domain about one account, all at the same time and each for a bounded time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import ldap

from keytrust.directory.account import guid_text
from keytrust.directory.domain import Domain
from keytrust.directory.replicas import Replica, replicas_of
from keytrust.errors import DirectoryError
from keytrust.explain.account_state import ATTRIBUTES, from_entry
from keytrust.explain.controllers import ControllerFacts
from keytrust.explain.model import Link
from keytrust.sync.stored import StoredKey

AT_ONCE = 64
"""Domain controllers asked at the same time."""
SECONDS = 5.0
"""Longest wait for one answer of one domain controller."""

KdcLinks = Callable[[Replica], Sequence[Link]]
"""Looks at a domain controller's KDC from outside."""


def ask_controllers(domain: Domain, guid: bytes, kdc: KdcLinks) -> list[ControllerFacts]:
    """What each domain controller of the domain says of itself and of the account, in the order of their names.

    Raises:
        DirectoryError: the domain's own list of domain controllers could not be read.
    """
    with domain.session() as session:
        replicas = replicas_of(session, domain.controller.domain)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ask") as pool:
        return list(pool.map(lambda replica: _ask(domain, guid, kdc, replica), replicas))


def _ask(domain: Domain, guid: bytes, kdc: KdcLinks, replica: Replica) -> ControllerFacts:
    host = replica.host
    links = tuple(kdc(replica))
    try:
        with domain.session_to(host, timeout=min(SECONDS, domain.settings.timeout)) as session:
            controller = session.controller()
            values = session.values_of(controller.domain, [guid]).get(guid)
            if values is None:
                return ControllerFacts(host, replica.read_only, "", controller, kdc=links)
            rows = session.search(
                f"<GUID={guid_text(guid)}>", ldap.SCOPE_BASE, "(objectClass=*)", ATTRIBUTES, paged=False
            )
            state = next((from_entry(entry) for _, entry in rows), None)
    except DirectoryError as error:
        return ControllerFacts(host, replica.read_only, error.message, kdc=links)
    keys = tuple(StoredKey.read(raw) for raw in values)
    return ControllerFacts(host, replica.read_only, "", controller, state, keys, links)
