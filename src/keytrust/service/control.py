"""What an operator tells a running service, through the store."""

from __future__ import annotations

from sqlalchemy import Engine, select, update

from keytrust.database import writing
from keytrust.errors import StoreError
from keytrust.store.database import store_faults
from keytrust.store.mirror_tables import mirrors


def set_paused(store: Engine, domain: str | None, *, paused: bool) -> str:
    """Pause or resume a domain, given by its DNS name; returns its name.

    Raises:
        StoreError: the service has never worked on such a domain, or there are several and none was named.
    """
    with store_faults(store), writing(store) as connection:
        rows = connection.execute(select(mirrors.c.name, mirrors.c.id))
        known: dict[str, int] = {row.name: row.id for row in rows}
        names = [name for name in known if domain is None or name.casefold() == domain.casefold().rstrip(".")]
        if len(names) != 1:
            raise StoreError(
                f"keytrust run has not worked on a domain {domain}."
                if domain
                else f"keytrust run has worked on {len(known)} domains.",
                not_done="Nothing was paused or resumed.",
                remedy=f"Name one of {', '.join(sorted(known))}." if known else "Start it once: keytrust run.",
            )
        connection.execute(update(mirrors).where(mirrors.c.id == known[names[0]]).values(paused=paused))
    return names[0]
