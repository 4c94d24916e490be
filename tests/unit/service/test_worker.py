"""The worker: what it does with a worklist, against a directory in memory with the faults that real ones have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.support.memory_link import MemorySource, duty
from tests.support.worker_site import Site
from tests.support.world import account, cloud_user, guid, key, value

from keytrust.cloud.source import Reported, Unknown
from keytrust.directory.account import Account
from keytrust.directory.session import Answer, Verdict
from keytrust.errors import DirectoryError
from keytrust.service import worker
from keytrust.service.control import try_again
from keytrust.service.planning import plan_accounts
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal
from keytrust.sync.policy import Policy
from keytrust.sync.scope import Scope

PEOPLE = [f"user{number}" for number in range(40)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield engine
    engine.dispose()


def test_a_registration_is_written_confirmed_and_told(store: Engine) -> None:
    site = Site(store, "alice", "bob")
    site.register("alice", 1)
    site.settle()
    assert (site.values("alice"), site.values("bob"), site.waiting) == (1, 0, 0)
    (event,) = site.told.of("written")
    assert event.account is not None
    assert (event.account.name, event.data["action"]) == ("alice", "add")
    assert event.data["server"] == "dc1.corp.example"
    site.settle()
    assert len(site.directory.sent) == 1


def test_a_key_that_somebody_deleted_is_written_again_and_does_not_count_as_slow(store: Engine) -> None:
    site = Site(store, "alice")
    site.register("alice", 1)
    site.settle()
    site.directory.values[guid("alice")].clear()
    site.look_at("alice")
    site.settle()
    first, again = site.told.of("written")
    assert first.data["seconds"] is not None
    assert again.data["seconds"] is None
    assert again.data["seenSeconds"] is not None


def test_one_change_costs_work_for_one_user(store: Engine) -> None:
    site = Site(store, *PEOPLE)
    asked: list[list[bytes]] = []
    by_guid = site.directory.by_guid
    site.directory.by_guid = lambda guids: asked.append(list(guids)) or by_guid(guids)  # type: ignore[method-assign,func-returns-value]
    site.register("user7", 1)
    site.settle()
    assert {each for some in asked for each in some} == {guid("user7")}


def test_a_revoked_key_is_removed_and_an_unknown_list_removes_nothing(store: Engine) -> None:
    site = Site(store, "alice", "bob")
    site.register("alice", 1)
    site.register("bob", 2)
    site.settle()
    site.source.put(cloud_user("alice", Unknown("damaged")))
    site.settle()
    site.source.remove("id-bob")
    site.settle()
    assert (site.values("alice"), site.values("bob")) == (1, 1)
    site.source.put(cloud_user("alice", Reported(())))
    site.source.put(cloud_user("bob", (key(2),)))
    site.settle()
    assert (site.values("alice"), site.values("bob")) == (0, 1)


def test_removals_beyond_the_limit_are_held_back_all_together_and_told_once(store: Engine) -> None:
    site = Site(store, *PEOPLE)
    for number, name in enumerate(PEOPLE):
        site.register(name, number % 5 + 5 * number)
    site.settle()
    for name in PEOPLE[:10]:
        site.source.put(cloud_user(name, Reported(())))
    site.feed.poll()
    site.worker.work()
    assert sum(site.values(name) for name in PEOPLE) == 40
    (event,) = site.told.of("cap-reached")
    assert "limit of 2" in event.sentence
    site.clock += 1000
    site.worker.work()
    assert len(site.told.of("cap-reached")) == 1
    for name in PEOPLE[1:10]:  # what was wrong in the cloud is put right
        site.register(name, PEOPLE.index(name) % 5 + 5 * PEOPLE.index(name))
    site.settle()
    site.clock += 1000
    site.worker.work()
    assert [site.values(name) for name in PEOPLE[:3]] == [0, 1, 1]


def test_few_removals_again_and_again_meet_the_limit_of_the_day(store: Engine) -> None:
    site = Site(store, *PEOPLE, policy=Policy(removal_share=1.0))
    for number, name in enumerate(PEOPLE):
        site.register(name, number)
    site.settle()
    for name in PEOPLE[:20]:
        site.source.put(cloud_user(name, Reported(())))
        site.settle()
    assert sum(site.values(name) for name in PEOPLE) == 40 - 5
    assert "within a day" in site.told.of("cap-reached")[0].sentence


def test_an_account_that_is_refused_is_set_aside_and_tried_again_and_the_others_are_served(store: Engine) -> None:
    site = Site(store, "alice", "bob", "carol")
    refused = guid("bob")
    site.directory.fault = lambda number: (
        Answer(None, Verdict.REFUSED, "no right", denied=True) if site.directory.sent[number][1] == refused else None
    )
    for number, name in enumerate(("alice", "bob", "carol")):
        site.register(name, number)
    site.settle()
    assert [site.values(name) for name in ("alice", "bob", "carol")] == [1, 0, 1]
    assert "no right" in site.told.of("set-aside")[0].sentence
    site.worker.work()
    assert len([each for each in site.directory.sent if each[1] == refused]) == 1
    site.directory.fault = lambda _: None
    site.clock += 60
    site.worker.work()
    assert (site.values("bob"), site.waiting) == (1, 0)


def test_an_account_that_cannot_be_read_is_in_nobodys_way(store: Engine) -> None:
    site = Site(store, "alice", "bob", "carol")
    poison, by_guid = guid("bob"), site.directory.by_guid

    def poisoned(guids: list[bytes]) -> dict[bytes, Account]:
        if poison in guids:
            raise DirectoryError("The directory returned CN=bob without its objectGUID or objectSid.")
        return by_guid(guids)

    site.directory.by_guid = poisoned  # type: ignore[method-assign]
    for number, name in enumerate(("alice", "bob", "carol")):
        site.register(name, number)
    site.settle()
    assert [site.values(name) for name in ("alice", "bob", "carol")] == [1, 0, 1]
    assert "without its objectGUID" in site.told.of("set-aside")[0].sentence


def test_a_directory_that_is_down_costs_no_entry_its_place(store: Engine) -> None:
    site = Site(store, "alice")
    by_guid = site.directory.by_guid

    def down(_: list[bytes]) -> dict[bytes, Account]:
        raise DirectoryError("dc1 does not answer")

    site.register("alice", 1)
    site.feed.poll()
    site.directory.by_guid = down  # type: ignore[method-assign]
    with pytest.raises(DirectoryError):
        site.worker.work()
    assert site.told.of("set-aside") == []
    site.directory.by_guid = by_guid  # type: ignore[method-assign]
    site.worker.work()
    assert (site.values("alice"), site.waiting) == (1, 0)


def test_accounts_that_hold_very_many_values_are_planned_a_few_at_a_time(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"user{number}" for number in range(7)]
    site = Site(store, *people, policy=Policy(removal_share=1.0, removal_share_per_day=1.0))
    for number, name in enumerate(people):
        site.directory.values[guid(name)] += [value(name, 10 + 4 * number + more) for more in range(4)]
        site.register(name, number)
    monkeypatch.setattr(worker, "READ_TOGETHER", 2)
    monkeypatch.setattr(worker, "MOST_VALUES", 10)
    planned: list[int] = []

    def counted(targets: Mapping[bytes, Account], *arguments: Any, **more: Any) -> Any:
        planned.append(sum(len(account.values) for account in targets.values()))
        return plan_accounts(targets, *arguments, **more)

    monkeypatch.setattr(worker, "plan_accounts", counted)
    site.settle()
    assert [site.values(name) for name in people] == [5] * 7
    assert max(planned) == 4 * 4
    assert site.waiting == 0
    assert len(site.told.of("unexpected-value")) == 7 * 4
    for name in people[:3]:
        site.source.put(cloud_user(name, ()))
    site.settle()
    assert [site.values(name) for name in people] == [4] * 3 + [5] * 4


def test_a_key_that_keeps_vanishing_is_reported_once_and_no_longer_fought(store: Engine) -> None:
    site = Site(store, "alice", vanish_limit=3)
    site.register("alice", 1)
    site.settle()
    for _ in range(6):
        site.directory.values[guid("alice")].clear()
        site.look_at("alice")
        site.worker.work()
    assert len(site.directory.sent) == 3
    (event,) = site.told.of("vanishing-value")
    assert event.account is not None
    assert event.account.name == "alice"


def test_a_key_that_vanished_is_written_again_when_the_operator_says_so_and_counted_anew(store: Engine) -> None:
    site = Site(store, "alice", vanish_limit=2)
    site.register("alice", 1)
    site.settle()

    def vanishes(times: int) -> None:
        for _ in range(times):
            site.directory.values[guid("alice")].clear()
            site.look_at("alice")
            site.worker.work()

    vanishes(3)
    assert (len(site.directory.sent), site.values("alice")) == (2, 0)
    assert try_again(store, None).vanishing == 1
    site.worker.work()
    assert (len(site.directory.sent), site.values("alice")) == (3, 1)
    assert try_again(store, None).vanishing == 0, "the finding is gone"
    vanishes(3)
    assert (len(site.directory.sent), site.values("alice")) == (4 + 1, 0), "twice since it was last told to"
    assert len(site.told.of("vanishing-value")) == 2


def test_a_foreign_value_is_told_and_our_own_are_not(store: Engine) -> None:
    site = Site(store, "alice", "bob")
    site.register("bob", 2)
    site.settle()
    site.directory.values[guid("alice")].append(value("alice", 9))
    site.look_at("alice", "bob")
    site.worker.work()
    site.look_at("alice", "bob")
    site.worker.work()
    (event,) = site.told.of("unexpected-value")
    assert event.data["value"] == value("alice", 9).decode()
    assert site.values("alice") == 1


def test_staging_does_everything_but_the_writes(store: Engine) -> None:
    site = Site(store, "alice", staging=True)
    site.register("alice", 1)
    site.settle()
    assert (site.directory.sent, site.waiting) == ([], 0)
    assert [event.data["action"] for event in site.told.of("would-write")] == ["add"]
    assert Journal(store).runs() == []


def test_a_key_on_another_account_is_refused_until_it_is_gone_from_there(store: Engine) -> None:
    site = Site(store, "alice", "bob")
    site.directory.values[guid("bob")].append(value("bob", 1))
    site.look_at("bob")
    site.worker.work()
    site.register("alice", 1)
    site.settle()
    assert site.values("alice") == 0
    assert site.told.of("conflict")[0].data["code"] == "shared-key"
    site.directory.values[guid("bob")].clear()
    site.look_at("bob")  # and nobody says anything of alice
    site.worker.work()
    assert site.values("alice") == 1


def test_half_a_mirror_is_no_ground_for_a_decision(store: Engine) -> None:
    site = Site(store, "alice")
    with site.duty.writing() as connection:
        site.duty.mirror.save(connection, rebuilt=None)
    site.register("alice", 1)
    site.settle()
    assert site.directory.sent == []


def test_who_is_told_to_stop_sends_nothing_more_and_leaves_the_rest_on_the_list(store: Engine) -> None:
    site = Site(store, *PEOPLE)
    for number, name in enumerate(PEOPLE):
        site.register(name, number)

    def stop_at_five(number: int) -> None:
        if number == 5:
            site.duty.stop.set()

    site.directory.before_change = stop_at_five
    site.settle()
    written = sum(site.values(name) for name in PEOPLE)
    assert 5 <= written < 40
    assert site.waiting >= 40 - written
    assert site.told.of("set-aside") == []


def test_an_account_out_of_scope_gets_nothing(store: Engine) -> None:
    site = Site(store, "alice", "bob")
    site.link.in_scope = Scope(frozenset([guid("bob")]))
    site.register("alice", 1)
    site.register("bob", 2)
    site.settle()
    assert (site.values("alice"), site.values("bob"), site.waiting) == (0, 1, 0)


def test_a_key_or_an_anchor_of_another_domain_is_given_to_nobody_here(store: Engine) -> None:
    site = Site(store, "alice", "bob", "carol")
    elsewhere, _ = duty(store, MemorySource(), domain_sid="S-1-5-21-7-8-9")
    with elsewhere.writing() as connection:
        there = [account("eve", value("eve", 1)), account("mallory", consistency_guid=guid("bob"))]
        elsewhere.mirror.put_accounts(connection, there, 0)
    for number, name in enumerate(("alice", "bob", "carol"), 1):
        site.register(name, number)
    site.settle()
    assert [site.values(name) for name in ("alice", "bob", "carol")] == [0, 0, 1]
    codes = {event.account.name: event.data["code"] for event in site.told.of("conflict") if event.account}
    assert codes == {"alice": "shared-key", "bob": "anchor-shared-in-directory"}


def test_a_domain_that_takes_no_changes_is_a_fault_of_the_domain_and_of_no_account(store: Engine) -> None:
    site = Site(store, *PEOPLE)
    for number, name in enumerate(PEOPLE):
        site.register(name, number)
    site.directory.writers_refused = 1
    with pytest.raises(DirectoryError, match="no server"):
        site.settle()
    assert site.told.of("set-aside") == []
    site.directory.fault = lambda _: Answer(None, Verdict.REFUSED, "no right", denied=True)
    with pytest.raises(DirectoryError, match="lacks the right to write"):
        site.worker.work()
    assert len(site.told.of("set-aside")) == 3
    site.directory.fault = lambda _: None
    site.clock += 60
    site.worker.work()
    assert (sum(site.values(name) for name in PEOPLE), site.waiting) == (40, 0)


def test_an_account_that_was_just_worked_on_when_the_connection_was_lost_is_not_blamed(store: Engine) -> None:
    site = Site(store, "alice")
    by_guid, lost = site.directory.by_guid, [True]

    def loses(guids: list[bytes]) -> dict[bytes, Account]:
        if guid("alice") in guids and lost:
            lost.pop()
            raise DirectoryError("The connection to dc1 was lost")
        return by_guid(guids)

    site.directory.by_guid = loses  # type: ignore[method-assign]
    site.register("alice", 1)
    site.settle()
    assert lost == []
    assert (site.values("alice"), site.waiting) == (1, 0)
    assert site.told.of("set-aside") == []
