"""A domain controller that fails in the middle: the run goes on at the next one, nothing is lost or written twice."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.crowd import register_all
from tests.support.site import Site

from keytrust.cli.wiring import open_runs
from keytrust.directory.account import Account
from keytrust.directory.domain import PLANNED_FOR, Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import DirectoryError
from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Plan
from keytrust.sync.report import RunReport
from keytrust.sync.stored import StoredKey

pytestmark = pytest.mark.lab

PEOPLE = 200
PATIENCE = 180.0
FROZEN = 60.0
"""Seconds that a frozen domain controller may cost, on a busy machine: several tickets at ten seconds each."""
USERS = [LabUser(f"pair{number}") for number in range(PEOPLE)]


@pytest.fixture
def pair(pair_lab: Lab, tmp_path: Path) -> Iterator[Site]:
    """A site with users who have registered a key each, known to both domain controllers."""
    site = Site(pair_lab, tmp_path)
    pair_lab.add_users(USERS)
    try:
        until(lambda: len(at(site, 2)) == PEOPLE, "the users were not replicated")
        register_all(site, at(site, 1))
        yield site
    finally:
        for lab in (pair_lab, pair_lab.dc(2)):
            if lab.status().phase == "paused":
                lab.resume_dc()
        pair_lab.up(lambda _: None)
        pair_lab.delete_users(USERS)
        until(lambda: not at(site, 2), "the deletions were not replicated")


def only(site: Site, number: int) -> DirectorySettings:
    """The settings by which nothing but this domain controller is asked."""
    given = site.settings.need_directory()
    return given.model_copy(update={"servers": (site.lab.spec.dc(number).dc_host,)})


def at(site: Site, number: int) -> list[Account]:
    """The users as one domain controller has them."""
    with Domain(only(site, number)) as domain:
        with domain.session_to(only(site, number).servers[0]) as session:
            found = list(session.accounts(domain.controller.domain, PLANNED_FOR))
        return [account for account in found if account.name.startswith("pair")]


def keys(accounts: list[Account]) -> Counter[bytes]:
    """How often each key is there, by KeyID."""
    return Counter(StoredKey.read(value).key_id or b"" for account in accounts for value in account.values)


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def until_both_have(site: Site, expected: Counter[bytes]) -> None:
    """Wait until both have these keys so often and no others; else say what each has, and how they replicate."""
    have = [Counter[bytes]()] * 2

    def the_same() -> bool:
        have[:] = [keys(at(site, number)) for number in (1, 2)]
        return all(found == expected for found in have)

    try:
        until(the_same, "not the same keys on both")
    except AssertionError as error:
        for number, found in enumerate(have, 1):
            missing, more = len(expected - found), len(found - expected)
            error.add_note(f"dc{number} lacks {missing} of {len(expected)} keys and has {more} that it should not have")
            replication = site.lab.dc(number).run(["samba-tool", "drs", "showrepl", "-P"], check=False)
            error.add_note(replication.stdout + replication.stderr)
        raise


def sync(
    site: Site,
    *,
    when: int = 0,
    then: Callable[[], None] = lambda: None,
    timeout: float = 30,
    directory: DirectorySettings | None = None,
) -> tuple[Plan, RunReport | None]:
    """Run a sync; when this many changes are done, let something happen."""
    settings = site.settings
    directory = (directory or settings.need_directory()).model_copy(update={"timeout": timeout})
    happened = False

    def progress(done: int) -> None:
        nonlocal happened
        if done >= when and not happened:
            happened = True
            then()

    with open_runs(settings.model_copy(update={"directory": directory})) as (runs, _):
        return runs.sync(progress=progress)


def test_a_killed_controller_costs_no_key_and_no_key_is_written_twice(pair: Site) -> None:
    plan, report = sync(pair, when=70, then=pair.lab.stop_dc)
    assert report is not None
    assert report.complete, report.stopped_because
    assert any(pair.lab.spec.dc(2).dc_host in note for note in report.notes)
    expected = Counter({change.key_id: 1 for change in plan.changes})
    assert len(expected) == PEOPLE
    assert keys(at(pair, 2)) == expected, "while the first one is still dead"
    journal = Journal(open_store(pair.settings.store.url))
    entries = journal.entries(run=report.run)
    assert [entry.outcome for entry in entries] == [Outcome.CONFIRMED] * PEOPLE
    assert {entry.server for entry in entries} == {pair.lab.spec.dc(n).dc_host for n in (1, 2)}
    pair.lab.start_dc()
    until(lambda: keys(at(pair, 1)) == expected, "the first one did not catch up")
    time.sleep(3)  # two rounds of replication: what one has to tell the other, it has told
    assert keys(at(pair, 1)) == keys(at(pair, 2)) == expected
    again, nothing = sync(pair)
    assert not again.changes
    assert nothing is None


def test_a_frozen_controller_costs_a_bounded_time_and_no_key_is_written_twice(pair: Site) -> None:
    """It takes connections and never answers; what it had taken in before it carries out when it thaws."""
    began = time.monotonic()
    plan, report = sync(pair, when=70, then=pair.lab.pause_dc, timeout=4)
    seconds = time.monotonic() - began
    assert report is not None
    assert report.complete, report.stopped_because
    expected = Counter({change.key_id: 1 for change in plan.changes})
    assert len(expected) == PEOPLE
    assert keys(at(pair, 2)) == expected, "while the first one is still frozen"
    entries = Journal(open_store(pair.settings.store.url)).entries(run=report.run)
    assert [entry.outcome for entry in entries] == [Outcome.CONFIRMED] * PEOPLE
    assert seconds < FROZEN, f"{seconds:.0f} s"
    pair.lab.resume_dc()
    until(lambda: keys(at(pair, 1)) == expected, "the first one did not catch up")
    time.sleep(3)  # two rounds of replication
    assert keys(at(pair, 1)) == keys(at(pair, 2)) == expected
    assert not sync(pair)[0].changes


@pytest.mark.parametrize("frozen", [1, 2])
def test_doctor_and_forest_name_a_frozen_controller_and_look_at_the_other(pair: Site, frozen: int) -> None:
    spec = pair.lab.spec
    ill, well = spec.dc(frozen).dc_host, spec.dc(3 - frozen).dc_host
    pair.lab.dc(frozen).pause_dc()
    began = time.monotonic()
    doctor = json.loads(pair.run("doctor", "--json", "--timeout", "3").stdout)
    assert time.monotonic() - began < FROZEN
    checks = {check["id"]: check["evidence"] for check in doctor["checks"]}
    for name in ("dc-answers", "kdc-answers"):
        verdicts = {each["subject"]: each["verdict"] for each in checks[name]}
        assert verdicts == {ill: "fail", well: "pass"}, checks[name]
    assert {each["verdict"] for each in checks["schema-version"]} == {"pass"}, "read from the other one"
    began = time.monotonic()
    forest = json.loads(pair.run("forest", "--json", "--answer", "3", "--total", "9").stdout)
    assert time.monotonic() - began < FROZEN
    reached = {each["host"]: each["reachable"] for each in forest["forests"][0]["controllers"]}
    assert reached == {ill: False, well: True}


def test_the_next_plan_by_a_controller_that_lags_gives_the_same_value(pair: Site) -> None:
    """The key source tells no creation time here, so the second value could differ from the first in its time."""
    pair.lab.stop_dc()
    _, report = sync(pair)
    assert report is not None
    assert report.complete
    expected = keys(at(pair, 2))
    pair.lab.dc(2).stop_dc()
    pair.lab.start_dc()
    _, second = sync(pair)  # the first one knows nothing of it yet, so it is all written again
    assert second is not None
    assert second.complete
    pair.lab.dc(2).start_dc()
    until_both_have(pair, expected)
    time.sleep(3)
    assert keys(at(pair, 1)) == expected == keys(at(pair, 2))


def test_accounts_are_read_on_at_the_next_controller_each_once(pair: Site) -> None:
    given = pair.settings.need_directory().model_copy(update={"page_size": 20})
    with Domain(given) as domain:
        reading = domain.accounts()
        some = [next(reading) for _ in range(60)]
        pair.lab.stop_dc()
        names = Counter(account.name for account in (*some, *reading))
    assert {name: count for name, count in names.items() if count != 1} == {}
    assert {user.sam for user in USERS} <= set(names)


def test_one_configured_controller_is_enough_to_find_the_other(pair: Site) -> None:
    with Domain(only(pair, 1)) as domain:
        pair.lab.stop_dc()
        account = domain.by_guid([at(pair, 2)[0].guid])
        assert account
        with domain.writer() as writer:
            assert writer.server == pair.lab.spec.dc(2).dc_host


def test_when_all_are_gone_the_run_says_so_and_the_next_one_completes_it(pair: Site) -> None:
    def stop_both() -> None:
        pair.lab.stop_dc()
        pair.lab.dc(2).stop_dc()

    plan, report = sync(pair, when=50, then=stop_both)
    assert report is not None
    assert not report.complete
    assert "could not be had again" in report.stopped_because
    with pytest.raises(DirectoryError):
        sync(pair)
    pair.lab.up(lambda _: None)
    _, report = sync(pair)
    assert report is not None
    assert report.complete, report.stopped_because
    expected = Counter({change.key_id: 1 for change in plan.changes})
    assert len(expected) == PEOPLE
    assert keys(at(pair, 1)) == expected
    # Samba 4.24 that is killed in a commit may use an update sequence number twice, seen in 1 of 66 such kills: the
    # other one takes the first change after that for one that it has. Who plans by the other one writes that key there.
    _, report = sync(pair, directory=only(pair, 2))
    assert report is None or report.complete, report
    until_both_have(pair, expected)
