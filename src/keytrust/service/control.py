"""What an operator tells a running service, through the store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, select, update

from keytrust.database import writing
from keytrust.errors import StoreError
from keytrust.service.mirror import Mirror
from keytrust.service.worklist import Priority, Worklist
from keytrust.store.database import store_faults
from keytrust.store.mirror_tables import findings, mirrors, pending
from keytrust.sync.model import RefusalCode


def set_paused(store: Engine, domain: str | None, *, paused: bool) -> str:
    """Pause or resume a domain, given by its DNS name; returns its name.

    Raises:
        StoreError: the service has never worked on such a domain, or there are several and none was named.
    """
    with store_faults(store), writing(store) as connection:
        name, mirror = _named(connection, domain, not_done="Nothing was paused or resumed.")
        connection.execute(update(mirrors).where(mirrors.c.id == mirror).values(paused=paused))
    return name


@dataclass(frozen=True, slots=True)
class TriedAgain:
    """What rests no longer in a domain, given by its DNS name.

    Attributes:
        resting: Accounts that were set aside, or whose removals were held back.
        vanishing: Accounts with keys that were not written again because they did not last.
    """

    domain: str
    resting: int
    vanishing: int


def try_again(store: Engine, domain: str | None) -> TriedAgain:
    """Let nothing of a domain, given by its DNS name, rest any longer.

    How often each account has failed stays known, so that what fails again rests for as long as it would have. How
    often a key did not last is counted anew.

    Raises:
        StoreError: as ``set_paused``.
    """
    now = time.time()
    with store_faults(store), writing(store) as connection:
        name, mirror = _named(connection, domain, not_done="Nothing is tried again before its time.")
        vanishing = (findings.c.mirror == mirror) & (findings.c.code == RefusalCode.VANISHING.value)
        guids = set(connection.execute(select(findings.c.guid).where(vanishing)).scalars())
        resting = (pending.c.mirror == mirror) & (pending.c.not_before > now)
        count = connection.execute(update(pending).where(resting).values(not_before=0.0)).rowcount
        Worklist(Mirror(mirror)).add(connection, guids, now, Priority.CHANGE)
        Mirror(mirror).save(connection, retried=datetime.now(UTC).isoformat())
    return TriedAgain(name, count, len(guids))


def _named(connection: Connection, domain: str | None, *, not_done: str) -> tuple[str, int]:
    """The name and the mirror of this domain, or of the only one."""
    known: dict[str, int] = {row.name: row.id for row in connection.execute(select(mirrors.c.name, mirrors.c.id))}
    names = [name for name in known if domain is None or name.casefold() == domain.casefold().rstrip(".")]
    if len(names) != 1:
        raise StoreError(
            f"keytrust run has not worked on a domain {domain}."
            if domain
            else f"keytrust run has worked on {len(known)} domains.",
            not_done=not_done,
            remedy=f"Name one of {', '.join(sorted(known))}." if known else "Start it once: keytrust run.",
        )
    return names[0], known[names[0]]
