"""What the continuous service knows of registered keys, as a key source: for an audit that asks the cloud nothing."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, select

from keytrust.cloud.source import CloudUser, Progress
from keytrust.errors import StoreError
from keytrust.service.mirror import GONE
from keytrust.service.rows import user_of
from keytrust.store.database import store_faults
from keytrust.store.mirror_tables import cloud_users, mirrors


class StoredSource:
    """The mirror of a domain's key source in the store, which ``keytrust run`` keeps up to date.

    Attributes:
        name: Where the keys are registered, and when they were last read completely.
    """

    def __init__(self, store: Engine, domain: str | None = None) -> None:
        """``domain`` is a domain's DNS name or SID; not needed where the store has one domain only.

        Raises:
            StoreError: the store cannot be read, or does not know the domain, or not yet all of its keys.
        """
        query = select(mirrors.c.id, mirrors.c.name, mirrors.c.sid, mirrors.c.source, mirrors.c.rebuilt)
        with store_faults(store), store.connect() as connection:
            known = connection.execute(query).all()
        found = [
            row for row in known if domain is None or domain.casefold() in (row.name.casefold(), row.sid.casefold())
        ]
        if len(found) != 1:
            names = ", ".join(sorted(row.name for row in known)) or "none"
            raise StoreError(
                f"The store holds what is registered for {names}, so it is not clear for whom to compare."
                if domain is None
                else f"The store does not hold what is registered for {domain}; it knows: {names}.",
                not_done="Nothing was audited.",
                remedy="Let keytrust run work on the domain, or compare with --cloud config or a file.",
            )
        (row,) = found
        if row.rebuilt is None:
            raise StoreError(
                f"keytrust run has not read everything of {row.name} yet.",
                not_done="Nothing was audited: by half a list keys would look planted.",
                remedy="Wait for its first complete read (keytrust status), or compare with --cloud config.",
            )
        self.name = f"{row.source} (as keytrust run knows it; last read completely {row.rebuilt[:16]}Z)"
        self._store = store
        self._mirror = row.id

    def read(self, progress: Progress | None = None) -> Iterator[CloudUser]:
        """See ``KeySource``."""
        query = select(cloud_users).where(cloud_users.c.mirror == self._mirror, cloud_users.c.reason != GONE)
        with store_faults(self._store), self._store.connect() as connection:
            rows = connection.execution_options(yield_per=1000).execute(query).mappings()
            for number, row in enumerate(rows, 1):
                if progress is not None and number % 100 == 0:
                    progress(number)
                yield user_of(row)
