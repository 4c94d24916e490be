"""The accounts that a complete read finds to be out of step: all others need no look."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from keytrust.service.mirror import Mirror
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
_OF_USER = (_K.c.mirror == _U.c.mirror) & (_K.c.user == _U.c.id)


class Suspicion(Enum):
    """Halves of the search that take about as long, for two threads."""

    LACKING = auto()
    OTHER = auto()


def suspects(connection: Connection, mirror: Mirror, policy: Policy, kind: Suspicion | None = None) -> Iterator[bytes]:
    """Accounts whose plan may be anything but empty; some come more than once."""
    if kind is not Suspicion.OTHER:
        yield from _all(connection, _lacking(mirror))
    if kind is not Suspicion.LACKING:
        yield from _all(connection, _surplus(mirror, policy))
        for query in _disagreeing(mirror):
            yield from _all(connection, query.limit(MOST_CONFLICTS))


def _all(connection: Connection, query: Select[Any]) -> Iterator[bytes]:
    for row in connection.execution_options(yield_per=10_000).execute(query):
        yield row[0]


def _lacking(mirror: Mirror) -> Select[Any]:
    """A registered key that does not serve on the account."""
    return (
        select(_A.c.guid)
        .select_from(_A)
        .join(_U, _SAME_ANCHOR)
        .join(_K, _OF_USER)
        .outerjoin(_V, _OF_ACCOUNT & (_V.c.key_id == _K.c.key_id) & _V.c.serves)
        .where(_A.c.mirror == mirror.id, _V.c.guid.is_(None))
    )


def _surplus(mirror: Mirror, policy: Policy) -> Select[Any]:
    """A value that may be ours and is not registered to a user whose key list is known."""
    ours = _V.c.value_id.in_(select(journal.c.value_id).where(journal.c.action == Action.ADD.value))
    return (
        select(_A.c.guid)
        .select_from(_V)
        .join(_A, _OF_ACCOUNT)
        .join(_U, _SAME_ANCHOR)
        .outerjoin(_K, _OF_USER & (_K.c.key_id == _V.c.key_id))
        .where(
            _V.c.mirror == mirror.id,
            _U.c.known,
            _K.c.user.is_(None),
            or_(ours, _V.c.cloud_origin) if policy.adopt else ours,
        )
    )


def _disagreeing(mirror: Mirror) -> Iterator[Select[Any]]:
    yield (
        select(_A.c.guid)
        .join(_U, _SAME_ANCHOR)
        .where(_A.c.mirror == mirror.id, _U.c.sid.is_(None) | (_U.c.sid != _A.c.sid))
    )
    yield (
        select(_A.c.guid)
        .join(_U, _SAME_SID)
        .where(_A.c.mirror == mirror.id, _U.c.anchor.is_(None) | (_U.c.anchor != _A.c.anchor))
    )
    for column, same in ((_U.c.anchor, _SAME_ANCHOR), (_U.c.sid, _SAME_SID)):
        twice = select(column).where(_U.c.mirror == mirror.id, column.is_not(None)).group_by(column)
        yield (
            select(_A.c.guid).join(_U, same).where(_A.c.mirror == mirror.id, column.in_(twice.having(func.count() > 1)))
        )
    twice_here = select(_A.c.anchor).where(_A.c.mirror == mirror.id).group_by(_A.c.anchor).having(func.count() > 1)
    yield select(_A.c.guid).join(_U, _SAME_ANCHOR).where(_A.c.mirror == mirror.id, _A.c.anchor.in_(twice_here))
