"""Whatever is in scope: nothing outside is touched, nothing inside is planned otherwise, and no rule is weaker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.world import Ours, account, cloud_user, guid, key, plan, sid, value

from keytrust.cloud.source import CloudUser, Reported, Unknown
from keytrust.directory.account import Account
from keytrust.sync.model import Action, Plan
from keytrust.sync.policy import Policy
from keytrust.sync.scope import Scope

NAMES = ("alice", "bob", "carol", "dave", "root")
names = st.sampled_from(NAMES)
numbers = st.sampled_from(range(5))
sets_of_keys = st.dictionaries(names, st.sets(numbers, max_size=3))
scopes = st.sets(names)


def world(
    registered: dict[str, set[int]], stored: dict[str, set[int]], ours: set[str], unknown: set[str], wrong: set[str]
) -> tuple[list[CloudUser], list[Account], Ours]:
    users, accounts, written = [], [], []
    for name in NAMES:
        keys = tuple(key(number) for number in sorted(registered.get(name, ())))
        told = Unknown("not read", keys) if name in unknown else Reported(keys)
        users.append(cloud_user(name, told, sid=sid("other") if name in wrong else sid(name)))
        values = [value(name, number) for number in sorted(stored.get(name, ()))]
        accounts.append(account(name, *values, protected=name == "root"))
        written += [(name, raw) for raw in values if name in ours]
    return users, accounts, Ours(*written)


worlds = st.builds(world, sets_of_keys, sets_of_keys, st.sets(names), st.sets(names), st.sets(names))


def of(made: Plan, members: set[str]) -> set[tuple[str, bytes, Action]]:
    inside = {guid(name) for name in members}
    return {(c.account.name, c.key_id, c.action) for c in (*made.changes, *made.held) if c.account.guid in inside}


@given(worlds, scopes)
def test_without_leaving_nothing_is_done_outside_and_inside_it_is_as_without_a_scope(
    given_world: tuple[list[CloudUser], list[Account], Ours], members: set[str]
) -> None:
    users, accounts, ours = given_world
    scope = Scope(frozenset(map(guid, members)))
    policy = Policy(removal_limit=1000, removal_share=1)
    scoped = plan(users, accounts, policy=policy, ours=ours, scope=scope)
    whole = plan(users, accounts, policy=policy, ours=ours)
    assert of(scoped, set(NAMES) - members) == set()
    assert of(scoped, members) == of(whole, members), "a key on an account outside still counts as taken"
    assert {r.account.name for r in scoped.refusals} <= members
    assert scoped.census.matched + scoped.census.out_of_scope == whole.census.matched


@given(worlds, scopes, st.booleans())
def test_leaving_removes_only_what_the_journal_shows_as_ours_from_users_that_are_known_and_within_the_limit(
    given_world: tuple[list[CloudUser], list[Account], Ours], members: set[str], adopt: bool
) -> None:
    users, accounts, ours = given_world
    scope = Scope(frozenset(map(guid, members)), remove_on_leave=True)
    made = plan(users, accounts, policy=Policy(removal_limit=1, adopt=adopt), ours=ours, scope=scope)
    assert made.removals <= 1, "rule 4"
    known = {guid(u.upn.split("@")[0]) for u in users if isinstance(u.keys, Reported)}
    for change in (*made.changes, *made.held):
        if change.account.name not in members:
            assert change.action is Action.REMOVE
            assert ours(change.account.guid, change.value) is not None, "rule 3"
            assert change.account.guid in known, "rule 2"
    assert all(conflict.account.name in members for conflict in made.conflicts)
