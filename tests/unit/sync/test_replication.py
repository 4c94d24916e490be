"""Each other domain controller is asked until a change shows there, however it behaves, and not beyond the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from tests.support.world import account, key, value

from keytrust.errors import DirectoryError
from keytrust.sync import replication
from keytrust.sync.model import AccountRef, Action
from keytrust.sync.replication import (
    AT_ONCE,
    LONGEST_PAUSE,
    PASSED_SECONDS,
    Arrival,
    Overdue,
    Passed,
    Replication,
    Told,
    Written,
)


class Forest:
    """Domain controllers in memory, and the clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.holds: dict[str, dict[bytes, list[bytes]]] = {"DC1.corp.example": {}, "dc2": {}, "dc3": {}}
        self.down: set[str] = set()
        self.asked: list[tuple[str, int]] = []
        self.watch = Replication(self.ask, limit=60.0, clock=lambda: self.now)
        self.watch.know(["DC1.corp.example", "dc2", "dc3"])

    def ask(self, host: str, guids: Sequence[bytes]) -> Mapping[bytes, Sequence[bytes]]:
        self.asked.append((host, len(guids)))
        if host in self.down:
            raise DirectoryError("It is down.")
        return {guid: values for guid, values in self.holds[host].items() if guid in guids}

    def write(self, name: str, number: int = 1, action: Action = Action.ADD) -> Written:
        ref = AccountRef.of(account(name))
        change = Written(ref, key(number).key_id, action, "dc1.corp.example", self.now)
        self.watch.watch(change)
        return change

    def show(self, host: str, name: str, number: int = 1) -> None:
        self.holds[host].setdefault(account(name).guid, []).append(value(name, number))

    def lose(self, name: str) -> Written:
        """Write a change that does not come to dc2, and a later one of bob's that does."""
        lost = self.write(name)
        self.run(5.0)
        self.write("bob")
        self.show("dc2", "bob")
        return lost

    def run(self, seconds: float) -> list[Told]:
        end, told = self.now + seconds, list[Told]()
        while self.now < end:
            for host in self.watch.due():
                told += self.watch.look(host)
            self.now += 0.05
        return told

    def pending(self) -> dict[str, object]:
        return {str(each["host"]): each["pending"] for each in self.watch.state()}


@pytest.fixture
def forest() -> Forest:
    return Forest()


def test_a_change_is_told_once_for_each_controller_when_it_shows_there(forest: Forest) -> None:
    change = forest.write("alice")
    assert forest.pending() == {"DC1.corp.example": 0, "dc2": 1, "dc3": 1}
    forest.run(1.0)
    forest.show("dc2", "alice")
    (arrival,) = forest.run(10.0)
    assert isinstance(arrival, Arrival)
    assert (arrival.change, arrival.host) == (change, "dc2")
    assert 1.0 <= arrival.seconds <= 1.0 + LONGEST_PAUSE
    assert forest.pending() == {"DC1.corp.example": 0, "dc2": 0, "dc3": 1}
    forest.asked.clear()
    forest.run(10.0)
    assert {host for host, _ in forest.asked} == {"dc3"}, "nothing is asked of whom nothing is waited for"


def test_what_does_not_arrive_is_given_up_with_the_reason_and_asked_ever_more_rarely(forest: Forest) -> None:
    forest.write("alice")
    forest.down.add("dc3")
    told = forest.run(130.0)
    assert {(each.host, each.fault) for each in told if isinstance(each, Overdue)} == {
        ("dc2", ""),
        ("dc3", "It is down."),
    }
    assert len([host for host, _ in forest.asked if host == "dc2"]) < 25
    assert len([host for host, _ in forest.asked if host == "dc3"]) < 12
    assert set(forest.pending().values()) == {0}


def test_an_arrival_or_a_new_change_makes_the_questions_frequent_again(forest: Forest) -> None:
    forest.write("alice")
    forest.run(30.0)
    forest.asked.clear()
    forest.write("bob")
    forest.run(1.0)
    assert len([host for host, _ in forest.asked if host == "dc2"]) >= 2


def test_a_removal_has_arrived_when_the_key_is_gone_or_the_account_is(forest: Forest) -> None:
    forest.show("dc2", "alice")
    forest.write("alice", action=Action.REMOVE)
    told = forest.run(2.0)
    assert [each.host for each in told] == ["dc3"]
    forest.holds["dc2"].clear()
    assert [each.host for each in forest.run(10.0)] == ["dc2"]


def test_of_two_changes_that_undo_each_other_the_later_is_waited_for(forest: Forest) -> None:
    forest.write("alice")
    later = forest.write("alice", action=Action.REMOVE)
    told = forest.run(2.0)
    assert {each.change for each in told} == {later}


def test_a_mass_import_is_watched_in_parts_and_within_bounds(forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "MOST_WAITING", 400)
    for number in range(500):
        forest.write(f"u{number}")
        forest.show("dc2", f"u{number}")
    assert forest.pending()["dc2"] == 400
    assert len(forest.run(5.0)) == 400
    assert max(size for _, size in forest.asked) <= AT_ONCE
    assert next(each["unwatched"] for each in forest.watch.state() if each["host"] == "dc2") == 100


def test_a_controller_that_is_taken_away_is_not_waited_for(forest: Forest) -> None:
    forest.write("alice")
    forest.watch.know(["dc2"])
    assert forest.pending() == {"dc2": 1}
    assert forest.watch.look("dc3") == []


def passed(told: list[Told]) -> list[tuple[Written, str]]:
    return [(each.change, each.host) for each in told if isinstance(each, Passed)]


def test_a_change_that_replication_has_passed_is_told_as_lost(forest: Forest) -> None:
    lost = forest.lose("alice")
    assert passed(forest.run(PASSED_SECONDS - 1)) == [], "links may come after objects"
    assert passed(forest.run(10.0)) == [(lost, "dc2")], "to dc3 neither has come: that is slow, and not lost"
    assert forest.pending() == {"DC1.corp.example": 0, "dc2": 0, "dc3": 2}
    told = forest.run(100.0)
    assert {(each.change, each.host) for each in told if isinstance(each, Overdue)} >= {(lost, "dc3")}
    assert passed(told) == [], "told once"


def test_what_comes_a_little_after_a_later_change_is_no_loss(forest: Forest) -> None:
    forest.lose("alice")
    forest.run(PASSED_SECONDS / 2)
    forest.show("dc2", "alice")
    told = forest.run(200.0)
    assert [each for each in told if isinstance(each, Arrival) and each.host == "dc2"]
    assert passed(told) == []


def test_two_changes_in_flight_together_say_nothing_of_each_other(forest: Forest) -> None:
    forest.write("alice")
    forest.now += 0.2
    forest.write("bob")
    forest.show("dc2", "bob")
    told = forest.run(200.0)
    assert passed(told) == []
    assert {each.host for each in told if isinstance(each, Overdue)} == {"dc2", "dc3"}


def test_an_overdue_change_is_lost_when_a_later_one_arrives_however_much_later(forest: Forest) -> None:
    lost = forest.write("alice")
    forest.run(300.0)
    forest.asked.clear()
    forest.run(300.0)
    assert forest.asked == [], "nobody is asked about it any more"
    forest.write("bob")
    forest.show("dc2", "bob")
    told = forest.run(50.0)
    assert passed(told) == [(lost, "dc2")]
    assert [each for each in told if isinstance(each, Overdue)] == []


def test_an_overdue_change_that_has_come_meanwhile_is_no_loss(forest: Forest) -> None:
    forest.write("alice")
    forest.run(300.0)
    forest.show("dc2", "alice")
    forest.write("bob")
    forest.show("dc2", "bob")
    told = forest.run(200.0)
    assert passed(told) == []
    assert len([each for each in told if isinstance(each, Arrival) and each.host == "dc2"]) == 2


def test_changes_made_elsewhere_say_nothing_of_this_origin(forest: Forest) -> None:
    forest.write("alice")
    forest.run(5.0)
    forest.watch.watch(Written(AccountRef.of(account("bob")), key(1).key_id, Action.ADD, "dc3", forest.now))
    forest.show("dc2", "bob")
    assert passed(forest.run(200.0)) == []


def test_a_lost_change_that_was_undone_is_not_told(forest: Forest) -> None:
    forest.lose("alice")
    forest.run(5.0)
    forest.write("alice", action=Action.REMOVE)
    assert passed(forest.run(200.0)) == []


def test_a_controller_that_is_silent_is_not_said_to_have_lost_anything(forest: Forest) -> None:
    forest.lose("alice")
    forest.run(5.0)
    forest.down.add("dc2")
    assert passed(forest.run(200.0)) == []
    forest.down.clear()
    forest.show("dc2", "alice")
    assert passed(forest.run(200.0)) == []


def test_only_so_many_late_changes_are_remembered(forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "MOST_LATE", 10)
    for number in range(50):
        forest.write(f"u{number}")
    forest.run(300.0)
    forest.write("bob")
    forest.show("dc2", "bob")
    assert len(passed(forest.run(60.0))) == 10
