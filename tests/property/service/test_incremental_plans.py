"""What the service plans for a few accounts is what a plan of the whole domain says about them."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.support.directory import MemoryDirectory
from tests.support.memory_link import MemoryLink
from tests.support.small_worlds import cloud, directory, fresh_duty, names
from tests.support.world import CONTEXT, Ours, guid, value

from keytrust.cloud.source import CloudUser
from keytrust.credential import Dialect
from keytrust.directory.account import Account
from keytrust.service.duty import Duty
from keytrust.service.mirror import Mirror
from keytrust.service.planning import plan_accounts, world_of
from keytrust.service.suspects import suspects
from keytrust.sync.model import Plan
from keytrust.sync.planner import make_plan
from keytrust.sync.policy import Policy
from keytrust.sync.scope import EVERYBODY, Scope
from keytrust.sync.stored import binary_part


def essence(plan: Plan, only: set[bytes]) -> tuple[object, ...]:
    """What a plan says about some accounts; which of several rivals a sentence names depends on their order.

    A value's DN part follows its account, and is read in the moment of the change.
    """
    return (
        sorted(
            (c.action, c.account.guid, binary_part(c.value), c.key_id) for c in plan.changes if c.account.guid in only
        ),
        sorted((c.code, c.account.guid) for c in plan.conflicts if c.account.guid in only),
        sorted((r.code, r.account.guid, r.key_id) for r in plan.refusals if r.account.guid in only),
    )


def mirrored(made: Duty, users: list[CloudUser], accounts: list[Account]) -> Mirror:
    with made.writing() as connection:
        made.mirror.put_users(connection, users, 0)
        made.mirror.put_accounts(connection, accounts, 0)
    return made.mirror


scopes = st.one_of(
    st.just(EVERYBODY),
    st.builds(lambda members, leave: Scope(frozenset(map(guid, members)), leave), st.sets(names), st.booleans()),
)


@given(cloud(), directory(), st.sets(names), st.booleans(), st.sets(st.tuples(names, st.integers(0, 4))), scopes)
@settings(
    max_examples=80,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_plan_of_some_accounts_is_their_part_of_the_whole_plan(
    users: list[CloudUser],
    accounts: list[Account],
    chosen: set[str],
    adopt: bool,
    written: set[tuple[str, int]],
    scope: Scope,
) -> None:
    policy = Policy(adopt=adopt, removal_limit=10_000, removal_share=1)
    ours = Ours(*((name, value(name, number)) for name, number in written))
    whole = make_plan(
        users,
        accounts,
        policy=policy,
        wrote=ours,
        dialect=Dialect.ENTRA,
        context=CONTEXT,
        allow_removals=10_000,
        scope=scope,
    )
    with fresh_duty(policy) as made:
        mirror = mirrored(made, users, accounts)
        link = MemoryLink(MemoryDirectory(*accounts))
        targets = link.by_guid([guid(name) for name in chosen])
        with made.reading() as connection:
            world = world_of(connection, mirror, targets.values())
            suspected = set(suspects(connection, mirror, policy))
        part = plan_accounts(
            targets,
            link.by_guid(sorted(world.neighbours)),
            world,
            policy=policy,
            wrote=ours,
            dialect=Dialect.ENTRA,
            context=CONTEXT,
            scope=scope,
        )
    assert essence(part, set(targets)) == essence(whole, set(targets))
    # And a complete read would have had a look at whatever the whole plan is about; what the journal shows to be ours
    # is not in this store's journal, so that only adoption brings removals here.
    concerned = {each.account.guid for each in (*whole.conflicts, *whole.refusals)}
    concerned |= {
        c.account.guid
        for c in whole.changes
        if c.action == "add" or (adopt and c.value not in ours(c.account.guid, [c.value]))
    }
    assert concerned <= suspected


@given(cloud(), directory(), cloud(), directory())
@settings(
    max_examples=80,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
def test_whatever_changes_all_accounts_whose_plan_changes_are_looked_at(
    users: list[CloudUser], accounts: list[Account], later_users: list[CloudUser], later_accounts: list[Account]
) -> None:
    policy = Policy(adopt=True, removal_limit=10_000, removal_share=1)

    def whole(of: list[CloudUser], on: list[Account]) -> Plan:
        return make_plan(
            of, on, policy=policy, wrote=Ours(), dialect=Dialect.ENTRA, context=CONTEXT, allow_removals=10_000
        )

    before, after = whole(users, accounts), whole(later_users, later_accounts)
    with fresh_duty(policy) as made:
        mirror = mirrored(made, users, accounts)
        gone_users = {user.id for user in users} - {user.id for user in later_users}
        gone = {each.guid for each in accounts} - {each.guid for each in later_accounts}
        with made.writing() as connection:
            looked_at = mirror.put_users(connection, later_users, 0)
            looked_at |= mirror.drop_users(connection, gone_users, 0)
            looked_at |= mirror.put_accounts(connection, later_accounts, 0)
            looked_at |= mirror.drop_accounts(connection, gone)
    for each in later_accounts:
        if essence(before, {each.guid}) != essence(after, {each.guid}):
            assert each.guid in looked_at
