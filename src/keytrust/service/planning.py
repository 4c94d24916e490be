"""The plan of a few accounts, equal to the part of the whole domain's plan that is about them.

The planner is the same. What it is given is as much of the world as matters for these accounts: the users who claim
them, the users who have their keys too, the accounts that share their anchor and those that hold their keys.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from keytrust.cloud.source import NGC, CloudUser
from keytrust.credential import Dialect, canonical_key_id
from keytrust.directory.account import Account
from keytrust.service.mirror import Mirror, chunks
from keytrust.service.rows import user_of
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users
from keytrust.sync.model import Context, Plan
from keytrust.sync.planner import Earlier, Wrote, make_plan
from keytrust.sync.policy import Policy
from keytrust.sync.scope import EVERYBODY, Scope


@dataclass(frozen=True, slots=True)
class World:
    """What matters for the plan of some accounts.

    Attributes:
        users: The cloud users to plan with.
        neighbours: Accounts that have to be looked at too, by GUID.
    """

    users: tuple[CloudUser, ...]
    neighbours: frozenset[bytes]


def world_of(connection: Connection, mirror: Mirror, targets: Iterable[Account]) -> World:
    """What the mirror knows that matters for these accounts' plan."""
    targets = list(targets)
    own = {account.guid for account in targets}
    anchors = {account.source_anchor for account in targets}
    peers = set(_peers(connection, mirror, anchors)) - own
    sids = {account.sid for account in targets} | set(_sids(connection, mirror, peers))
    users = {user.id: user for user in claimants(connection, mirror, anchors, sids)}
    keys = [key for user in users.values() for key in user.keys.keys if key.key_type == NGC]
    for user in _registered(connection, mirror, {key.key_id for key in keys}):
        users.setdefault(user.id, user)
    public = {canonical_key_id(key.material) or key.key_id for key in keys}
    holders = set(_holders(connection, mirror, public)) - own
    return World(tuple(users[name] for name in sorted(users)), frozenset(peers | holders))


def plan_accounts(
    targets: Mapping[bytes, Account],
    neighbours: Mapping[bytes, Account],
    users: Iterable[CloudUser],
    *,
    policy: Policy,
    wrote: Wrote,
    earlier: Earlier = lambda _: {},
    dialect: Dialect,
    context: Context,
    scope: Scope = EVERYBODY,
) -> Plan:
    """The whole plan's part about the targets, but for the limit on removals, which is about more than these accounts.

    Args:
        targets: The accounts to plan for, as they are now, by GUID.
        neighbours: The other accounts of their world, as they are now.
        users: The cloud users of their world.
        policy: What the operator allows.
        wrote: The journal's knowledge of what is ours.
        earlier: See ``make_plan``.
        dialect: The form in which new values are written.
        context: Where and when.
        scope: Which of the targets are worked on.
    """
    everybody = {**neighbours, **targets}
    plan = make_plan(
        users,
        (everybody[guid] for guid in sorted(everybody)),
        policy=policy,
        wrote=wrote,
        earlier=earlier,
        dialect=dialect,
        context=context,
        allow_removals=sys.maxsize,
        scope=scope,
    )
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.account.guid in targets),
        conflicts=tuple(conflict for conflict in plan.conflicts if conflict.account.guid in targets),
        refusals=tuple(refusal for refusal in plan.refusals if refusal.account.guid in targets),
    )


def _peers(connection: Connection, mirror: Mirror, anchors: set[bytes]) -> Iterable[bytes]:
    return mirror.accounts_claimed(connection, anchors, ())


def _sids(connection: Connection, mirror: Mirror, guids: Iterable[bytes]) -> Iterable[str]:
    for chunk in chunks(sorted(guids)):
        query = select(accounts.c.sid).where(accounts.c.mirror == mirror.id, accounts.c.guid.in_(chunk))
        yield from connection.execute(query).scalars()


def claimants(connection: Connection, mirror: Mirror, anchors: set[bytes], sids: set[str]) -> Iterable[CloudUser]:
    """The cloud users who carry one of these source anchors or SIDs."""
    for column, wanted in ((cloud_users.c.anchor, sorted(anchors)), (cloud_users.c.sid, sorted(sids))):
        for chunk in chunks(wanted):
            query = select(cloud_users).where(cloud_users.c.mirror == mirror.id, column.in_(chunk))
            yield from map(user_of, connection.execute(query).mappings())


def _registered(connection: Connection, mirror: Mirror, key_ids: set[bytes]) -> Iterable[CloudUser]:
    same = (cloud_keys.c.mirror == cloud_users.c.mirror) & (cloud_keys.c.user == cloud_users.c.id)
    for chunk in chunks(sorted(key_ids)):
        query = (
            select(cloud_users)
            .join(cloud_keys, same)
            .where(cloud_keys.c.mirror == mirror.id, cloud_keys.c.key_id.in_(chunk))
        )
        yield from map(user_of, connection.execute(query).mappings())


def _holders(connection: Connection, mirror: Mirror, public_ids: set[bytes]) -> Iterable[bytes]:
    for chunk in chunks(sorted(public_ids)):
        query = select(account_values.c.guid).where(
            account_values.c.mirror == mirror.id, account_values.c.public_id.in_(chunk)
        )
        yield from connection.execute(query).scalars()
