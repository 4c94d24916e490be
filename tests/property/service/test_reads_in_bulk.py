"""Complete reads by sets, files and sorted tables do what is plainly described here object by object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from tests.support.memory_link import Given, MemorySource, duty
from tests.support.small_worlds import cloud, directory, fresh_duty, names
from tests.support.world import guid, value

from keytrust.cloud.source import NGC, CloudUser, Reported
from keytrust.database import writing
from keytrust.directory.account import Account
from keytrust.service import merging, sides
from keytrust.service.duty import Duty
from keytrust.service.loading import Loader
from keytrust.service.mirror import GONE
from keytrust.service.reading import Reading
from keytrust.service.rows import account_rows, key_rows, user_row
from keytrust.service.suspects import suspects
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users, pending
from keytrust.store.tables import journal, runs
from keytrust.sync.chain import value_id
from keytrust.sync.policy import Policy
from keytrust.sync.stored import StoredKey

TABLES = (cloud_users, cloud_keys, accounts, account_values)
Content = list[set[tuple[Any, ...]]]


@dataclass(frozen=True)
class Step:
    """One complete read, and what the feeds bring while it is under way."""

    users: list[CloudUser]
    accounts: list[Account]
    fed_users: list[CloudUser]
    fed_accounts: list[Account]
    deleted: set[str]
    """Users of whom the cloud's feed says that they are gone, known before or not."""
    flapped: bool
    """Whether what the feeds bring is how it was before: the read saw it in another state in between."""
    seen_before: list[Account]
    """Accounts that the read brought a first time, in another state, before those above: they changed meanwhile, so
    that the directory's feed brings them once more."""

    def twice(self) -> set[bytes]:
        return {each.guid for each in self.seen_before} & {each.guid for each in self.accounts}


steps = st.builds(
    Step,
    cloud(),
    directory(),
    st.one_of(st.just([]), cloud()),
    st.one_of(st.just([]), directory()),
    st.sets(names.map("id-{}".format), max_size=2),
    st.booleans(),
    directory(),
)


def read(made: Duty, number: int, step: Step) -> set[bytes]:
    """Read as the service does; the accounts that were left to the worker, which takes them in here."""

    def users() -> Iterator[CloudUser]:
        yield from step.users
        with made.writing() as connection:
            made.mirror.put_users(connection, step.fed_users, number)
            made.mirror.drop_users(connection, step.deleted, number)
            made.mirror.put_accounts(connection, step.fed_accounts, number)

    with made.writing() as connection:
        made.mirror.save(connection, stamp=number)
    seen = [each for each in step.seen_before if each.guid in step.twice()]
    loader = Loader(made, number, first=number == 1, read=Reading.parts, progress=lambda _what, _done: None)
    loader.load({"users": users, "accounts": Given((*seen, *step.accounts))})
    with made.writing() as connection:
        left = set(connection.execute(select(pending.c.guid)).scalars())
        connection.execute(delete(pending))
        later = [each for each in expected(step)[1] if each.guid in step.twice() | left]
        made.mirror.put_accounts(connection, later, number)
    return left


def expected(step: Step) -> tuple[list[CloudUser], list[Account]]:
    users = {each.id: each for each in (*step.users, *step.fed_users)}
    found = {each.guid: each for each in (*step.accounts, *step.fed_accounts)}
    return [each for name, each in users.items() if name not in step.deleted], list(found.values())


def described(made: Duty, users: list[CloudUser], found: list[Account]) -> Content:
    """The mirror of these, without the rows' stamps."""
    mirror = made.mirror.id
    of_accounts = [account_rows(mirror, 0, each) for each in found]
    return [
        {tuple(user_row(mirror, 0, each).values())[:-1] for each in users},
        {tuple(row.values()) for each in users for row in key_rows(mirror, each)},
        {tuple(each.account.values())[:-1] for each in of_accounts},
        {tuple(row.values()) for each in of_accounts for row in each.values},
    ]


def content(made: Duty) -> Content:
    """The mirror's tables without stamps, and without what is left of users who are gone."""
    found: Content = []
    with made.reading() as connection:
        for table in TABLES:
            columns = [column for column in table.columns if column.name != "stamp"]
            query = select(*columns).where(table.c.mirror == made.mirror.id)
            if table is cloud_users:
                query = query.where(cloud_users.c.reason != GONE)
            found.append({tuple(row) for row in connection.execute(query)})
    return found


def deleted(made: Duty) -> set[str]:
    query = select(cloud_users.c.id).where(cloud_users.c.mirror == made.mirror.id, cloud_users.c.reason == GONE)
    with made.reading() as connection:
        return set(connection.execute(query).scalars())


def to_be_looked_at(users: list[CloudUser], found: list[Account], ours: set[bytes], adopt: bool) -> set[bytes]:
    """What ``suspects`` is about, account by account."""
    return {each.guid for each in found if _suspect(each, users, found, ours, adopt)}


def _suspect(account: Account, users: list[CloudUser], found: list[Account], ours: set[bytes], adopt: bool) -> bool:
    anchored = [user for user in users if user.source_anchor == account.source_anchor]
    same_sid = [user for user in users if user.sid == account.sid]
    registered = {key.key_id for user in anchored for key in user.keys.keys if key.key_type == NGC}
    stored = [(value_id(account.guid, raw), StoredKey.read(raw)) for raw in account.values]
    lacking = registered - {each.key_id for _, each in stored if each.serves}
    surplus = any(
        each.key_id not in registered and (name in ours or (adopt and each.cloud_origin)) for name, each in stored
    )
    rivals = [other for other in found if other.source_anchor == account.source_anchor]
    return bool(
        lacking
        or (surplus and any(isinstance(user.keys, Reported) for user in anchored))
        or any(user.sid != account.sid for user in anchored)
        or any(user.source_anchor != account.source_anchor for user in same_sid)
        or len(anchored) > 1
        or len(same_sid) > 1
        or (anchored and len(rivals) > 1)
    )


def journaled(made: Duty, ids: set[bytes]) -> None:
    """The journal says that we wrote these values."""
    with made.writing() as connection:
        for table in (journal, runs):
            connection.execute(delete(table))
        run = dict.fromkeys(("id", "kind", "started", "domain", "domain_sid", "server", "source", "operator"), "x")
        connection.execute(insert(runs), run)
        for number, each in enumerate(sorted(ids), 1):
            row = {"seq": number, "run": "x", "at": "x", "entry": "intent", "action": "add", "value_id": each}
            connection.execute(insert(journal), row | {"digest": b""})


def holding_others_than(known: set[bytes], found: list[Account]) -> set[bytes]:
    return {a.guid for a in found if {value_id(a.guid, raw) for raw in a.values} - known}


few = settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)


@given(
    st.lists(steps, min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
    st.sets(st.tuples(names, st.integers(0, 3)), max_size=4),
)
@few
def test_reads_one_after_another_leave_the_mirror_and_find_the_accounts_as_described(
    given_steps: list[Step], neighbour: bool, adopt: bool, written: set[tuple[str, int]]
) -> None:
    policy = Policy(adopt=adopt)
    ours = {value_id(guid(name), value(name, number)) for name, number in written}
    sizes = patch.multiple(merging, FILLED_AT_ONCE=2, EXCHANGED_AT_ONCE=2, _TURN_SECONDS=0.0)
    with fresh_duty(policy) as made, sizes, patch.multiple(sides, BATCH=2, MOST_CHILDREN=3):
        if neighbour:  # another domain's rows are in the same tables, and stay as they are
            other, _ = duty(made.store, MemorySource(), domain_sid=f"{made.domain_sid}-2")
            with writing(made.store) as connection:
                other.mirror.put_users(connection, given_steps[0].users, 0)
                other.mirror.put_accounts(connection, given_steps[0].accounts, 0)
            other.lease.release()
            beside = content(other)
        journaled(made, ours)
        known: set[bytes] = set()
        users, found = list[CloudUser](), list[Account]()
        for number, each in enumerate(given_steps, 1):
            step = each
            if number == 1:  # the feeds wait for it
                step = replace(each, fed_users=[], fed_accounts=[], deleted=set())
            elif each.flapped:
                step = replace(each, fed_users=users, fed_accounts=found)
            left = read(made, number, step)
            users, found = expected(step)
            assert content(made) == described(made, users, found)
            assert deleted(made) == step.deleted
            with made.reading() as connection:
                suspected = set(suspects(connection, made.mirror, policy))
            assert suspected == to_be_looked_at(users, found, ours, adopt)
            fed = {account.guid for account in step.fed_accounts}
            if number > 1:
                assert left >= holding_others_than(known, found) - step.twice() - fed
                assert left <= holding_others_than(known, [*step.accounts, *step.seen_before]) | fed
            else:
                assert left == set()
            known = {value_id(a.guid, raw) for a in found for raw in a.values}
        if neighbour:
            assert content(other) == beside
