"""Small clouds and directories of every kind of disagreement, for property tests, and a store to mirror them in."""

from __future__ import annotations

import atexit
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from tests.support.memory_link import MemorySource, duty
from tests.support.world import account, cloud_user, guid, key, sid, value

from keytrust.cloud.source import CloudUser, KeyList, Reported, Unknown
from keytrust.credential import KeyUsage
from keytrust.database import writing
from keytrust.directory.account import Account
from keytrust.service.duty import Duty
from keytrust.store.database import open_store
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users, mirrors
from keytrust.sync.policy import Policy

NAMES = ("alice", "bob", "carol", "dave")
keys = st.sampled_from([(), (0,), (1,), (2,), (3,), (0, 1), (2, 3)])
names = st.sampled_from(NAMES)


@st.composite
def cloud(draw: st.DrawFn) -> list[CloudUser]:
    users = []
    for number in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        registered = tuple(key(n) for n in draw(keys))
        told: KeyList = Reported(registered) if draw(st.booleans()) else Unknown("damaged", registered)
        anchor = draw(st.sampled_from([*map(guid, NAMES), guid("shared"), None]))
        its_sid = draw(st.sampled_from([*map(sid, NAMES), None]))
        users.append(cloud_user(f"u{number}", told, source_anchor=anchor, sid=its_sid))
    straight = [
        cloud_user(name, tuple(key(n) for n in draw(keys))) for name in NAMES if draw(st.sampled_from([0, 1, 1, 1]))
    ]
    return [*users, *straight]


@st.composite
def directory(draw: st.DrawFn) -> list[Account]:
    made = []
    for name in NAMES:
        if draw(st.sampled_from([0, 1, 1, 1, 1])):
            values = tuple(value(draw(names), n) for n in draw(keys)) + draw(
                st.sampled_from([(), (b"B:4:0002:CN=x",), (b"rubbish",), (value(name, 1, usage=KeyUsage.STK),)])
            )
            given_guid = draw(st.sampled_from([*[None] * 8, guid("shared"), guid("alice")]))
            made.append(
                account(
                    name,
                    *dict.fromkeys(values),
                    consistency_guid=given_guid,
                    protected=draw(st.sampled_from([False] * 5 + [True])),
                )
            )
    return made


@cache
def _store() -> Engine:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return open_store(f"sqlite:///{folder.name}/keytrust.db")


@contextmanager
def fresh_duty(policy: Policy) -> Iterator[Duty]:
    """A duty with an empty mirror of its own, in a store that is made only once."""
    made, _ = duty(_store(), MemorySource(), policy=policy, domain_sid=f"S-1-5-21-{secrets.token_hex(8)}")
    try:
        yield made
    finally:
        made.lease.release()
        with writing(made.store) as connection:
            for table in (mirrors, cloud_users, cloud_keys, accounts, account_values):
                connection.execute(delete(table))
