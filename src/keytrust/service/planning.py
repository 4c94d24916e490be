"""The plan of a few accounts, equal to the part of the whole domain's plan that is about them.

The planner is the same. What it is given is as much of the world as matters for these accounts: the users who claim
them, the users who have their keys too, the accounts that share their anchor and those that hold their keys.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from keytrust.cloud.source import NGC, CloudUser
from keytrust.credential import Dialect, canonical_key_id
from keytrust.directory.account import Account
from keytrust.service.mirror import Mirror, chunks
from keytrust.service.rows import user_of
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users, mirrors
from keytrust.sync.match import CloudIndex
from keytrust.sync.model import AccountRef, Context, Plan
from keytrust.sync.planner import Earlier, Planner, Wrote
from keytrust.sync.policy import Policy
from keytrust.sync.scope import EVERYBODY, Scope
from keytrust.sync.seen import Seen


@dataclass(frozen=True, slots=True)
class World:
    """What matters for the plan of some accounts.

    Attributes:
        users: The cloud users to plan with.
        neighbours: Accounts of this domain that have to be looked at too, by GUID.
        held_elsewhere: Keys, by their public identity, on accounts of other domains, by GUID.
        claimed_elsewhere: Source anchors of accounts of other domains.
    """

    users: tuple[CloudUser, ...]
    neighbours: frozenset[bytes]
    held_elsewhere: tuple[tuple[bytes, bytes], ...] = ()
    claimed_elsewhere: tuple[tuple[bytes, AccountRef], ...] = ()


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
    others = connection.execute(select(mirrors.c.id).where(mirrors.c.id != mirror.id)).scalars().all()
    return World(
        tuple(users[name] for name in sorted(users)),
        frozenset(peers | holders),
        tuple(_held_elsewhere(connection, others, public)),
        tuple(_claimed_elsewhere(connection, others, anchors)),
    )


def plan_accounts(
    targets: Mapping[bytes, Account],
    neighbours: Mapping[bytes, Account],
    world: World,
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
        world: What else matters for them.
        policy: What the operator allows.
        wrote: The journal's knowledge of what is ours.
        earlier: See ``make_plan``.
        dialect: The form in which new values are written.
        context: Where and when.
        scope: Which of the targets are worked on.
    """
    seen = Seen()
    for public_id, guid in world.held_elsewhere:
        seen.hold_key(guid, public_id)
    for anchor, account in world.claimed_elsewhere:
        seen.claim(anchor, account)
    planner = Planner(
        CloudIndex(world.users),
        seen,
        policy=policy,
        wrote=wrote,
        earlier=earlier,
        dialect=dialect,
        context=context,
        scope=scope,
    )
    everybody = {**neighbours, **targets}
    for guid in sorted(everybody):
        planner.take(everybody[guid])
    plan = planner.finish(sys.maxsize)
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


def _held_elsewhere(
    connection: Connection, others: Sequence[int], public_ids: set[bytes]
) -> Iterable[tuple[bytes, bytes]]:
    for chunk in chunks(sorted(public_ids)) if others else ():
        query = select(account_values.c.public_id, account_values.c.guid).where(
            account_values.c.mirror.in_(others), account_values.c.public_id.in_(chunk)
        )
        yield from ((row.public_id, row.guid) for row in connection.execute(query))


def _claimed_elsewhere(
    connection: Connection, others: Sequence[int], anchors: set[bytes]
) -> Iterable[tuple[bytes, AccountRef]]:
    for chunk in chunks(sorted(anchors)) if others else ():
        query = select(accounts).where(accounts.c.mirror.in_(others), accounts.c.anchor.in_(chunk))
        for row in connection.execute(query):
            yield row.anchor, AccountRef(row.guid, row.name, row.sid, row.name)
