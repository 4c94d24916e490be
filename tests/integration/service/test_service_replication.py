"""What is written at one domain controller is followed to the other, and explained while it is on its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from tests.support.memory_link import MemorySource, Told, duty

from keytrust import config
from keytrust.cloud.source import CloudUser, RegisteredKey, Reported
from keytrust.credential import attribute_text, build, rsa1_from_key
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.explain.explainer import Explainer
from keytrust.explain.model import State
from keytrust.explain.verdict import judge
from keytrust.lab import Lab, LabUser
from keytrust.service.events import EventKind
from keytrust.service.link import Link
from keytrust.service.replication_watch import ReplicationWatch
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal
from keytrust.sync.model import AccountRef
from keytrust.sync.policy import Policy

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
        watch = ReplicationWatch(made, Link(settings))
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
