"""The accounts that a complete read finds to be out of step: all others need no look.

Both sides are walked through side by side in the order of source anchors, so that millions cost seconds whether or not
they fit into memory. SQLite would look one side up in the order of the other's index on something else, ten times as
slowly; it is the ``ORDER BY`` that keeps it from that.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, Select, and_, case, exists, false, func, literal, or_, select

from keytrust.service.mirror import Mirror, chunks
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users
from keytrust.store.tables import journal
from keytrust.sync.model import Action
from keytrust.sync.policy import Policy

MOST_CONFLICTS = 10_000
"""Disagreements looked at in one complete read: so many have one cause, and a person has to find it."""

_A, _V, _U, _K = accounts, account_values, cloud_users, cloud_keys
_SAME_ANCHOR = (_U.c.mirror == _A.c.mirror) & (_U.c.anchor == _A.c.anchor)
_SAME_SID = (_U.c.mirror == _A.c.mirror) & (_U.c.sid == _A.c.sid)
_OF_ACCOUNT = (_V.c.mirror == _A.c.mirror) & (_V.c.guid == _A.c.guid)
_NOTHING = literal(b"", LargeBinary)
_REGISTERED = (_K.c.mirror == _A.c.mirror) & (_K.c.anchor == _A.c.anchor)


class Suspicion(Enum):
    """Halves of the search that take about as long, for two threads."""

    LACKING = auto()
    OTHER = auto()


def suspects(connection: Connection, mirror: Mirror, policy: Policy, kind: Suspicion | None = None) -> Iterator[bytes]:
    """Accounts whose plan may be anything but empty; some come more than once."""
    if kind is not Suspicion.OTHER:
        yield from _all(connection, _lacking(mirror))
        for query in _disagreeing(mirror):
            yield from _all(connection, query.limit(MOST_CONFLICTS))
    if kind is not Suspicion.LACKING:
        yield from _all(connection, _surplus(mirror, policy))
        for column in (_U.c.anchor, _U.c.sid, _A.c.anchor):
            yield from _of_the_same(connection, mirror, column)


def _all(connection: Connection, query: Select[Any]) -> Iterator[bytes]:
    for row in connection.execution_options(yield_per=10_000).execute(query):
        yield row[0]


def _lacking(mirror: Mirror) -> Select[Any]:
    """A registered key that does not serve on the account."""
    return (
        select(_A.c.guid)
        .join(_K, _REGISTERED)
        .outerjoin(_V, _OF_ACCOUNT & (_V.c.key_id == _K.c.key_id) & _V.c.serves)
        .where(_A.c.mirror == mirror.id, _V.c.guid.is_(None))
        .order_by(_K.c.anchor)
    )


def _surplus(mirror: Mirror, policy: Policy) -> Select[Any]:
    """A value that may be ours and is not registered to a user whose key list is known."""
    ours = exists().where(journal.c.value_id == _V.c.value_id, journal.c.action == Action.ADD.value)
    may_be_ours = or_(ours, _V.c.cloud_origin) if policy.adopt else ours
    known = exists().where(_U.c.mirror == _A.c.mirror, _U.c.anchor == _A.c.anchor, _U.c.known)
    # As an expression the KeyID is not looked up by its index, which would lead all over the table.
    registered = _REGISTERED & (func.coalesce(_K.c.key_id, _NOTHING) == _V.c.key_id)
    return (
        select(_A.c.guid)
        .join(_V, _OF_ACCOUNT)
        .outerjoin(_K, registered)
        .where(
            _A.c.mirror == mirror.id,
            _K.c.user.is_(None),
            # A case, so that the journal is asked only about values that are not registered.
            case((_K.c.user.is_(None), and_(may_be_ours, known)), else_=false()),
        )
    )


def _disagreeing(mirror: Mirror) -> Iterator[Select[Any]]:
    """Anchor and SID lead to different users, or one of them to nobody."""
    for same, mine, its in ((_SAME_ANCHOR, _A.c.sid, _U.c.sid), (_SAME_SID, _A.c.anchor, _U.c.anchor)):
        differ = its.is_(None) | (its != mine)
        order = _A.c.anchor if same is _SAME_ANCHOR else _A.c.sid
        yield select(_A.c.guid).join(_U, same).where(_A.c.mirror == mirror.id, differ).order_by(order)


def _of_the_same(connection: Connection, mirror: Mirror, column: Column[Any]) -> Iterator[bytes]:
    """What only one may have, several have: accounts that this is about."""
    mine = column.table.c.mirror == mirror.id
    twice = select(column).where(mine, column.is_not(None)).group_by(column).having(func.count() > 1)
    several = list(connection.execute(twice.limit(MOST_CONFLICTS)).scalars())
    of_account, same = (_A.c.sid, _SAME_SID) if column is _U.c.sid else (_A.c.anchor, _SAME_ANCHOR)
    for chunk in chunks(several):
        query = select(_A.c.guid).join(_U, same).where(_A.c.mirror == mirror.id, of_account.in_(chunk))
        yield from connection.execute(query.limit(MOST_CONFLICTS)).scalars()
