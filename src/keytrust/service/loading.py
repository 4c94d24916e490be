"""Taking a complete read into the mirror: in batches, and only what differs from what is there."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select

from keytrust.cloud.source import CloudUser
from keytrust.directory.account import Account
from keytrust.service.duty import Duty
from keytrust.service.mirror import NewValue, chunks, upsert
from keytrust.service.rows import Row, account_rows, key_rows, user_row
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users

BATCH = 5000
"""Rows in one transaction: short enough that a feed's own is not kept waiting."""

Item = TypeVar("Item")
Progress = Callable[[int], None]


class Visited:
    """Which rows a complete read has seen, in eight bytes each.

    Two names of one hash are taken for one: then a row that is gone stays until the next complete read.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._sorted: array[int] | None = None

    def add(self, name: object) -> None:
        """Remember a row's name."""
        self._hashes.append(hash(name))

    def __len__(self) -> int:
        return len(self._hashes)

    def missing(self, names: Iterable[str] | Iterable[bytes]) -> Iterator[object]:
        """Those of these names that were not seen."""
        seen = set(self._hashes)
        return (name for name in names if hash(name) not in seen)


def load_users(duty: Duty, users: Iterable[CloudUser], stamp: int, progress: Progress) -> int:
    """Take in everybody; returns how many there are. Rows that a feed brought meanwhile are fresher, and stay."""
    visited = Visited()
    mirror = duty.mirror.id
    for batch in _batches(users):
        rows = [user_row(mirror, stamp - 1, user) for user in batch]
        for user in batch:
            visited.add(user.id)
        with duty.writing() as connection:
            changed = _changed(connection, cloud_users, "id", rows, stamp)
            old = [name for name, is_new in changed.items() if not is_new]
            for chunk in chunks(old):
                connection.execute(
                    delete(cloud_keys).where(cloud_keys.c.mirror == mirror, cloud_keys.c.user.in_(chunk))
                )
            upsert(connection, cloud_users, [row for row in rows if row["id"] in changed])
            keys = [row for user in batch if user.id in changed for row in key_rows(mirror, user)]
            if keys:
                connection.execute(insert(cloud_keys), keys)
        progress(len(visited))
    for gone in _vanished(duty, cloud_users, "id", visited, stamp):
        with duty.writing() as connection:
            connection.execute(delete(cloud_keys).where(cloud_keys.c.mirror == mirror, cloud_keys.c.user.in_(gone)))
            connection.execute(delete(cloud_users).where(cloud_users.c.mirror == mirror, cloud_users.c.id.in_(gone)))
    return len(visited)


def load_accounts(
    duty: Duty, found: Iterable[Account], stamp: int, progress: Progress, new_value: Callable[[NewValue], None]
) -> int:
    """Take in all accounts; returns how many there are. ``new_value`` is told of values that were not there before."""
    visited = Visited()
    mirror = duty.mirror.id
    for batch in _batches(found):
        made = {account.guid: account_rows(mirror, stamp - 1, account) for account in batch}
        for guid in made:
            visited.add(guid)
        known: set[bytes] = set()
        with duty.writing() as connection:
            changed = _changed(connection, accounts, "guid", [rows.account for rows in made.values()], stamp)
            for chunk in chunks([guid for guid, is_new in changed.items() if not is_new]):
                these = (account_values.c.mirror == mirror) & account_values.c.guid.in_(chunk)
                known.update(connection.execute(select(account_values.c.value_id).where(these)).scalars())
                connection.execute(delete(account_values).where(these))
            upsert(connection, accounts, [made[guid].account for guid in changed])
            values = [row for guid in changed for row in made[guid].values]
            if values:
                connection.execute(insert(account_values), values)
        for account in batch:
            if account.guid in changed:
                for name, raw in made[account.guid].raw.items():
                    if name not in known:
                        new_value(NewValue(account, raw))
        progress(len(visited))
    for gone in _vanished(duty, accounts, "guid", visited, stamp):
        with duty.writing() as connection:
            these = (account_values.c.mirror == mirror) & account_values.c.guid.in_(gone)
            connection.execute(delete(account_values).where(these))
            connection.execute(delete(accounts).where(accounts.c.mirror == mirror, accounts.c.guid.in_(gone)))
    return len(visited)


def _changed(connection: Connection, table: Table, name: str, rows: Sequence[Row], stamp: int) -> dict[Any, bool]:
    """The names of rows that have to be written, and whether they are new."""
    column = table.c[name]
    there: dict[object, tuple[bytes, int]] = {}
    for chunk in chunks([row[name] for row in rows]):
        query = select(column, table.c.digest, table.c.stamp).where(
            table.c.mirror == rows[0]["mirror"], column.in_(chunk)
        )
        there.update({found: (digest, stamped) for found, digest, stamped in connection.execute(query)})
    changed: dict[Any, bool] = {}
    for row in rows:
        before = there.get(row[name])
        if before is None:
            changed[row[name]] = True
        elif before[1] < stamp and before[0] != row["digest"]:
            changed[row[name]] = False
    return changed


def _vanished(duty: Duty, table: Table, name: str, visited: Visited, stamp: int) -> Iterator[list[object]]:
    """Names of rows that the complete read did not see and no feed brought meanwhile, in parts."""
    column = table.c[name]
    query = select(column).where(table.c.mirror == duty.mirror.id, table.c.stamp < stamp)
    with duty.reading() as connection:
        stored = connection.execution_options(yield_per=10_000).execute(query).scalars()
        gone = list(visited.missing(stored))
    for chunk in chunks(gone):
        yield list(chunk)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    source = iter(items)
    while batch := list(islice(source, BATCH)):
        yield batch
