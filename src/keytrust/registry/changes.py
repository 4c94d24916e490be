"""Which users changed, in the order in which the changes became visible: what a delta read stands on.

Each user has at most one row, with the number of their latest change, so a reader who has seen everything up to a
number finds what is new through an index, however many users there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, bindparam, cast, delete, func, insert, select, text, union_all, update

from keytrust.registry.tables import meta, user_changes

_FLOOR = "changes_floor"
_LATEST = union_all(
    select(func.coalesce(func.max(user_changes.c.seq), 0)),
    select(cast(meta.c.value, BigInteger)).where(meta.c.name == _FLOOR),
)
_FORGET = delete(user_changes).where(user_changes.c.user_id == bindparam("user"))
_INSERT = insert(user_changes)
# Numbers must become visible in their order, or a reader would step over one that is committed late. SQLite has one
# writer anyhow. The lock is held to the end of the transaction, so take it last.
_LOCK = text("SELECT pg_advisory_xact_lock(7310868735422689395)")


def touch(connection: Connection, user_ids: Sequence[str]) -> None:
    """Note that these users (each named once), their keys or their being there have changed in this transaction."""
    if not user_ids:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
    number = latest(connection)
    connection.execute(_FORGET, [{"user": user_id} for user_id in user_ids])
    rows = [{"user_id": user_id, "seq": number + place} for place, user_id in enumerate(user_ids, 1)]
    connection.execute(_INSERT, rows)


def latest(connection: Connection) -> int:
    """The number of the latest change; 0 if there was none."""
    return max(int(number) for number in connection.execute(_LATEST).scalars())


def keep_latest(connection: Connection) -> None:
    """Call before rows of users are removed for good: the number of the latest change must never go back."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
    number = str(latest(connection))
    if connection.execute(update(meta).where(meta.c.name == _FLOOR).values(value=number)).rowcount == 0:
        connection.execute(insert(meta).values(name=_FLOOR, value=number))
