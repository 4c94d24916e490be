"""Several domains in one configuration: nothing that one shows is forgotten when another is planned for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.directory import MemoryDirectory
from tests.support.world import account, cloud_user, guid, key, value

from keytrust.cloud.source import CloudUser
from keytrust.credential import Dialect
from keytrust.directory.account import Account
from keytrust.directory.settings import ScopeSettings
from keytrust.errors import ConfigError, DirectoryError, KeytrustError, PlanError
from keytrust.store.database import open_store
from keytrust.sync import planfile
from keytrust.sync.estate import Estate
from keytrust.sync.joint_plan import Member
from keytrust.sync.model import ConflictCode, RefusalCode
from keytrust.sync.policy import Policy
from keytrust.sync.runs import Runs


@dataclass
class _Controller:
    host: str


@dataclass
class _Settings:
    in_flight: int = 8
    scope = ScopeSettings()


class _Domain(MemoryDirectory):
    dialect = Dialect.ENTRA
    settings = _Settings()

    def __init__(self, name: str, *accounts: Account) -> None:
        super().__init__(*accounts)
        self.name = name
        self.sid = f"S-1-5-21-{len(name)}-{sum(map(ord, name))}"
        self.controller = _Controller(f"dc1.{name}")
        self.breaks = False

    def accounts(self) -> Iterator[Account]:  # type: ignore[override]
        for number, each in enumerate(super().accounts()):
            if self.breaks and number:
                raise DirectoryError(f"dc1.{self.name} went away")
            yield each


class _Cloud:
    name = "test"

    def __init__(self, users: list[CloudUser]) -> None:
        self.users = users

    def read(self, progress: object = None) -> Iterator[CloudUser]:
        yield from self.users


@dataclass
class _World:
    folder: Path
    cloud: _Cloud
    policy: Policy

    def estate(self, *domains: _Domain, faults: dict[str, KeytrustError] | None = None, only: str = "") -> Estate:
        store = open_store(f"sqlite:///{self.folder}/keytrust.db")
        members = [Member(each.name, each, Runs(each, self.cloud, store, self.policy)) for each in domains]  # type: ignore[arg-type]
        labels = [only] if only else [*(each.name for each in domains), *(faults or {})]
        return Estate(members, faults or {}, labels, source=self.cloud, policy=self.policy)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> _World:
    return _World(tmp_path, _Cloud([]), Policy())


def test_each_domain_has_its_own_plan_run_and_limit(world: _World) -> None:
    one, two = _Domain("one.example", account("alice")), _Domain("two.example", account("bob"))
    world.cloud.users = [cloud_user("alice", (key(1),)), cloud_user("bob", (key(2),))]
    done = world.estate(one, two).sync()
    assert [(each.label, each.plan and each.plan.additions) for each in done] == [
        ("one.example", 1),
        ("two.example", 1),
    ]
    assert all(each.report is not None and each.report.complete for each in done)
    assert len(one.values[guid("alice")]) == len(two.values[guid("bob")]) == 1
    journal = world.estate(one, two).members["one.example"].runs.journal
    assert {run.domain for run in journal.runs()} == {"one.example", "two.example"}
    assert [run.domain for run in journal.runs(domain="TWO.example")] == ["two.example"]
    for name in ("one.example", "two.example"):
        assert world.estate(one, two).member_of_run(journal.runs(domain=name)[0].id).label == name


@pytest.mark.parametrize("first", ["holder", "other"])
def test_a_key_on_an_account_of_another_domain_is_refused(world: _World, first: str) -> None:
    holder = _Domain("holder.example", account("mallory", value("mallory", 1)))
    other = _Domain("other.example", account("alice"))
    world.cloud.users = [cloud_user("alice", (key(1),))]
    order = [holder, other] if first == "holder" else [other, holder]
    for estate in (world.estate(*order), world.estate(*order, only="other.example")):
        [made] = [each.plan for each in estate.plan() if each.label == "other.example" and each.plan]
        assert not made.changes
        assert [refusal.code for refusal in made.refusals] == [RefusalCode.SHARED_KEY]


@pytest.mark.parametrize("sid_of_the_other_fits", [False, True])
def test_a_source_anchor_of_two_domains_is_a_conflict_in_both(world: _World, sid_of_the_other_fits: bool) -> None:
    ours = value("alice", 9)
    alice = account("alice", ours)
    twin = account(
        "twin", consistency_guid=guid("alice"), sid=alice.sid if sid_of_the_other_fits else "S-1-5-21-9-9-9-9"
    )
    one, two = _Domain("one.example", alice), _Domain("two.example", twin)
    world.cloud.users = [cloud_user("alice", (key(1),))]
    made = {each.label: each.plan for each in world.estate(one, two).plan()}
    for plan in made.values():
        assert plan is not None
        assert not plan.changes
        assert not plan.held
    assert [c.code for c in made["one.example"].conflicts] == [ConflictCode.ANCHOR_SHARED_IN_DIRECTORY]  # type: ignore[union-attr]
    [theirs] = made["two.example"].conflicts  # type: ignore[union-attr]
    expected = ConflictCode.ANCHOR_SHARED_IN_DIRECTORY if sid_of_the_other_fits else ConflictCode.SID_DIFFERS
    assert theirs.code is expected


def test_removals_are_held_in_the_domain_that_exceeds_its_limit_and_made_in_the_other(world: _World) -> None:
    few = _Domain("few.example", account("alice", value("alice", 1)))
    many = _Domain("many.example", *(account(f"u{n}", value(f"u{n}", n)) for n in range(2, 6)))
    world.policy = Policy(adopt=True, removal_limit=2)
    world.cloud.users = [
        *(cloud_user(name) for name in ("alice", "u2", "u3", "u4", "u5")),
        cloud_user("elsewhere", (key(7),)),
    ]
    made = {each.label: each.plan for each in world.estate(few, many).plan()}
    assert made["few.example"] is not None
    assert made["few.example"].removals == 1
    assert made["many.example"] is not None
    assert not made["many.example"].changes
    assert len(made["many.example"].held) == 4


def test_a_domain_that_is_down_does_not_stop_the_others_and_is_named(world: _World) -> None:
    up = _Domain("up.example", account("alice"))
    world.cloud.users = [cloud_user("alice", (key(1),))]
    fault = DirectoryError("dc1.down.example cannot be reached")
    done = {each.label: each for each in world.estate(up, faults={"down.example": fault}).sync()}
    assert done["down.example"].fault is fault
    assert done["up.example"].report is not None
    assert done["up.example"].report.complete
    assert done["up.example"].plan is not None
    assert done["up.example"].plan.unread == ("down.example",)
    with pytest.raises(DirectoryError, match="cannot be reached"):
        world.estate(up, faults={"down.example": fault}, only="down.example")


def test_half_a_reading_of_a_domain_makes_no_plan_for_it(world: _World) -> None:
    good = _Domain("good.example", account("alice"))
    broken = _Domain("broken.example", account("bob"), account("carol"))
    broken.breaks = True
    world.cloud.users = [cloud_user(name, (key(n),)) for n, name in enumerate(("alice", "bob", "carol"), 1)]
    done = {each.label: each for each in world.estate(good, broken).sync()}
    assert done["broken.example"].plan is None
    assert isinstance(done["broken.example"].fault, DirectoryError)
    assert not any(broken.values.values())
    assert done["good.example"].report is not None


def test_a_domain_that_cannot_be_written_leaves_the_others_their_turn(world: _World) -> None:
    silent, good = _Domain("silent.example", account("alice")), _Domain("good.example", account("bob"))
    silent.writers_refused = 1_000
    world.cloud.users = [cloud_user("alice", (key(1),)), cloud_user("bob", (key(2),))]
    done = {each.label: each for each in world.estate(silent, good).sync()}
    assert isinstance(done["silent.example"].fault, DirectoryError)
    assert done["good.example"].report is not None
    assert done["good.example"].report.complete


def test_saved_plans_find_their_domains_and_a_stale_one_stops_only_itself(world: _World, tmp_path: Path) -> None:
    one, two = _Domain("one.example", account("alice")), _Domain("two.example", account("bob"))
    world.cloud.users = [cloud_user("alice", (key(1),)), cloud_user("bob", (key(2),))]
    estate = world.estate(one, two)
    saved = []
    for each in estate.plan():
        assert each.plan is not None
        planfile.save(each.plan, tmp_path / f"{each.label}.json")
        saved.append(planfile.load(tmp_path / f"{each.label}.json"))
    world.cloud.users = [cloud_user("alice"), cloud_user("bob", (key(2),))]
    done = {each.label: each for each in estate.apply_saved(list(reversed(saved)))}
    assert isinstance(done["one.example"].fault, PlanError)
    assert done["two.example"].report is not None
    assert len(two.values[guid("bob")]) == 1
    with pytest.raises(PlanError, match="out of date"):
        estate.apply_saved(saved[:1])
    with pytest.raises(PlanError, match="Two of the plans"):
        estate.apply_saved([saved[1], saved[1]])
    stranger = replace(saved[1], context=replace(saved[1].context, domain="three.example", domain_sid="S-1-5-21-3"))
    with pytest.raises(PlanError, match=r"three\.example"):
        estate.apply_saved([stranger])


def test_one_domain_configured_twice_is_a_mistake(world: _World) -> None:
    one = _Domain("one.example", account("alice"))
    again = _Domain("one.example", account("alice"))
    store = open_store(f"sqlite:///{world.folder}/keytrust.db")
    members = [
        Member(label, each, Runs(each, world.cloud, store, world.policy)) for label, each in (("a", one), ("b", again))
    ]  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="one and the same"):
        Estate(members, {}, ["a", "b"], source=world.cloud, policy=world.policy)  # type: ignore[arg-type]
