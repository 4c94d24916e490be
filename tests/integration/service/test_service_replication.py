"""What is written at one domain controller is followed to the other, and explained while it is on its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import Engine
from tests.support.memory_link import MemorySource, Told, duty

from keytrust import config
from keytrust.cloud.source import CloudUser, RegisteredKey, Reported
from keytrust.credential import attribute_text, build, rsa1_from_key
from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.explain.explainer import Explainer
from keytrust.explain.model import State
from keytrust.explain.verdict import judge
from keytrust.lab import Lab, LabUser
from keytrust.service.events import EventKind
from keytrust.service.link import Link
from keytrust.service.mending import PAUSE, Mending
from keytrust.service.replication_watch import ReplicationWatch
from keytrust.store.database import open_store
from keytrust.sync import replication
from keytrust.sync.carrying import carry_out
from keytrust.sync.journal import Journal
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.policy import Policy
from keytrust.sync.replication import Written

PATIENCE = 60.0


@pytest.fixture
def settings(pair_lab: Lab) -> DirectorySettings:
    return config.load(pair_lab.spec.config).need_directory(pair_lab.spec.domain)


@pytest.fixture
def user(pair_lab: Lab) -> Iterator[LabUser]:
    made = LabUser(sam=f"r-{uuid4().hex[:8]}")
    pair_lab.add_users([made])
    yield made
    pair_lab.delete_users([made])


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def receiving_nothing(lab: Lab) -> Iterator[None]:
    """The second domain controller takes nothing in by replication ([MS-ADTS] 6.1.1.2.2.1.2.1.1, options)."""
    spec = lab.spec
    dn = f"CN=NTDS Settings,CN={spec.dc(2).dc_name.upper()},CN=Servers,CN=Default-First-Site-Name,CN=Sites"
    change = f"dn: {dn},CN=Configuration,{spec.base_dn}\nchangetype: modify\nreplace: options\noptions: "
    second = lab.dc(2)
    second.apply_ldif(f"{change}3\n-\n\n")
    try:
        yield
    finally:
        second.apply_ldif(f"{change}1\n-\n\n")


class TwoControllers:
    """The worker's part of the service at the first, and what each holds."""

    def __init__(self, settings: DirectorySettings, first: Domain, second: Domain, store: Engine) -> None:
        self.domains = (first, second)
        self.servers = (first.controller.host, second.controller.host)
        self.link = Link(settings)
        self.duty, self.told = duty(store, MemorySource(), domain_sid=first.sid)
        self.journal = Journal(store, self.duty.lease.fence)
        self.mending = Mending(self.duty, self.link, self.journal)
        self.watch = ReplicationWatch(self.duty, Link(settings), self.mending.take)
        self.duty.events.subscribe(self.watch)
        self.watch.poll()

    def close(self) -> None:
        self.watch.close()
        self.link.drop()

    def key_for(self, account: Account) -> Change:
        material = rsa1_from_key(generate_private_key(65537, 2048).public_key())
        made = build(material, device_id=uuid4(), created=datetime.now(UTC), dialect=self.domains[0].dialect)
        value = attribute_text(made, account.dn).encode()
        return Change(Action.ADD, AccountRef.of(account), value, sha256(material).digest(), "registered")

    def write(self, change: Change) -> None:
        """As the worker does: at the first, journaled, confirmed and told."""
        report = carry_out(
            "run",
            [change],
            place=self.link.place("test"),
            directory=self.link,
            journal=self.journal,
            in_flight=1,
        )
        assert report.complete
        ref, key, action = change.account, change.key_id.hex(), change.action.value
        self.duty.tell(EventKind.WRITTEN, "", ref, action=action, keyId=key, server=self.servers[0])

    def write_and_bring(self, account: Account) -> None:
        """A later key of somebody else's, which is at the second too, as if replication had brought it."""
        time.sleep(replication.LATER_SECONDS * 1.5)
        key = self.key_for(account)
        self.write(key)
        with closing(self.domains[1].writer()) as writer:
            writer.begin_add(account.guid, key.value)
            assert writer.next_answer().verdict.name == "DONE"

    def values(self, account: Account) -> tuple[tuple[bytes, ...], ...]:
        return tuple(domain.values_of([account.guid]).get(account.guid, ()) for domain in self.domains)


@pytest.mark.lab
def test_what_replication_has_lost_is_made_again_where_it_is_missing_and_becomes_one(
    pair_lab: Lab, settings: DirectorySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "PASSED_SECONDS", 1.0)
    users = [LabUser(sam=f"r-{uuid4().hex[:8]}") for _ in range(2)]
    pair_lab.add_users(users)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    second = settings.model_copy(update={"servers": (pair_lab.spec.dc(2).dc_host,)})
    with Domain(settings) as one, Domain(second) as other, closing(TwoControllers(settings, one, other, store)) as both:
        alice, bob = (one.find(user.sam) for user in users)
        until(lambda: len(other.by_guid([alice.guid, bob.guid])) == 2, "the accounts were not replicated")
        with receiving_nothing(pair_lab):
            key = both.key_for(alice)
            both.write(key)
            both.write_and_bring(bob)
            until(lambda: both.watch.poll() or both.mending.work() or both.told.of("made-again"), "it was not made")
            assert len(both.values(alice)[1]) == 1
            (event,) = both.told.of("made-again")
            assert (event.data["origin"], event.data["server"]) == both.servers
        time.sleep(3)
        until(lambda: [len(values) for values in both.values(alice)] == [1, 1], "the key did not become one")

        # A removal in the same way: a revoked key must not sign in at the second one for good.
        with receiving_nothing(pair_lab):
            both.write(replace(key, action=Action.REMOVE, value=both.values(alice)[0][0]))
            both.write_and_bring(bob)
            assert [len(values) for values in both.values(alice)] == [0, 1]
            until(lambda: both.watch.poll() or both.mending.work() or both.told.of("made-again")[1:], "it was not made")
        until(lambda: both.values(alice) == ((), ()), "the key is still there")
        time.sleep(3)
        assert both.values(alice) == ((), ())
        assert [len(values) for values in both.values(bob)] == [2, 2]
        both.journal.verify()
    pair_lab.delete_users(users)
    store.dispose()


@pytest.mark.lab
def test_a_frozen_controller_keeps_what_it_lacks_waiting_and_not_the_worker(
    pair_lab: Lab, settings: DirectorySettings, user: LabUser, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    second = settings.model_copy(update={"servers": (pair_lab.spec.dc(2).dc_host,)})
    later = 0.0
    with Domain(settings) as one, Domain(second) as other, closing(TwoControllers(settings, one, other, store)) as both:
        both.mending = Mending(both.duty, both.link, both.journal, lambda: time.monotonic() + later)
        alice = one.find(user.sam)
        until(lambda: other.by_guid([alice.guid]), "the account was not replicated")
        with receiving_nothing(pair_lab):
            key = both.key_for(alice)
            both.write(key)
            lost = Written(key.account, key.key_id, key.action, both.servers[0], 0.0)
            both.mending.take(both.servers[1], [lost])
            pair_lab.dc(2).pause_dc()
            try:
                began = time.monotonic()
                both.mending.work()
                assert time.monotonic() - began < PATIENCE
            finally:
                pair_lab.dc(2).resume_dc()
            assert both.told.of("made-again") == []
            both.mending.work()
            assert both.told.of("made-again") == [], "not before it is due again"
            later = PAUSE
            both.mending.work()
            assert len(both.told.of("made-again")) == 1
            assert [len(values) for values in both.values(alice)] == [1, 1]
    store.dispose()


@pytest.mark.lab
def test_a_key_is_followed_to_the_other_controller_and_explain_tells_where_it_is(
    pair_lab: Lab, settings: DirectorySettings, user: LabUser, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    first, second = pair_lab.spec.dc_host, pair_lab.spec.dc(2).dc_host
    with Domain(settings) as domain, Domain(settings.model_copy(update={"servers": (second,)})) as other:
        account = domain.find(user.sam)
        until(lambda: account.guid in other.by_guid([account.guid]), "the account was not replicated")
        made, told = duty(store, MemorySource(), domain_sid=domain.sid)
        assert isinstance(told, Told)
        watch = ReplicationWatch(made, Link(settings), lambda *_: None)
        made.events.subscribe(watch)
        material = rsa1_from_key(generate_private_key(65537, 2048).public_key())
        key = RegisteredKey(material, device_id=uuid4())
        source = MemorySource()
        source.put(
            CloudUser("id", account.upn or "", account.source_anchor, account.sid, Reported((key,)), enabled=True)
        )
        explainer = Explainer(domain, source, Journal(store), Policy(), lambda _: ())  # type: ignore[arg-type]
        watch.poll()
        assert [each["host"] for each in watch.state()] == sorted([first, second])

        pair_lab.dc(2).pause_dc()
        try:
            credential = build(material, device_id=key.device_id, created=datetime.now(UTC), dialect=domain.dialect)
            with closing(domain.writer()) as writer:
                writer.begin_add(account.guid, attribute_text(credential, account.dn).encode())
                assert writer.next_answer().verdict.name == "DONE"
            made.tell(EventKind.WRITTEN, "", AccountRef.of(account), action="add", keyId=key.key_id.hex(), server=first)
            until(lambda: watch.poll() or any(each["fault"] for each in watch.state()), "the fault was not told")
            verdict = judge(explainer.explain(domain.find(user.sam)))
            assert {at.host: at.state for at in verdict.at} == {first: State.OK, second: State.CANNOT_TELL}
        finally:
            pair_lab.dc(2).resume_dc()
        until(lambda: watch.poll() or told.of("arrived"), "the key did not arrive")
        (arrived,) = told.of("arrived")
        assert arrived.data["server"] == second
        assert {each["pending"] for each in watch.state()} == {0}
        verdict = judge(explainer.explain(domain.find(user.sam)))
        assert verdict.state is State.OK
        assert first in verdict.sentence
        assert second in verdict.sentence
        watch.close()
    store.dispose()
