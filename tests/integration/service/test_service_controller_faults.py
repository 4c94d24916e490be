"""``keytrust run`` when its domain controller is down or slow, and when it is told to stop just then."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.running import RunningService

from keytrust.lab import Lab, LabUser
from keytrust.store.database import opened_store
from keytrust.sync.journal import Journal, Outcome

pytestmark = pytest.mark.lab


@contextmanager
def slow(lab: Lab) -> Iterator[None]:
    """The domain controller stands still for most of the time."""
    ended = threading.Event()

    def drag() -> None:
        while not ended.is_set():
            lab.pause_dc()
            try:
                ended.wait(0.6)
            finally:
                lab.resume_dc()
            ended.wait(0.2)

    dragging = threading.Thread(target=drag)
    dragging.start()
    try:
        yield
    finally:
        ended.set()
        dragging.join()


def test_a_controller_that_is_down_is_told_and_found_again_and_tickets_that_are_gone_are_got_anew(
    breakable_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = tmp_path / "tmp"
    places.mkdir()
    monkeypatch.setenv("TMPDIR", str(places))
    users = [LabUser("down1"), LabUser("down2")]
    breakable_lab.add_users(users)
    with RunningService.beside_a_registry(breakable_lab, tmp_path) as service:
        service.enrol(*users)
        service.start()
        service.register(users[0])
        service.await_values(users[0], 1)
        with service.told_anew("feed-failed", feed="worker") as told:
            breakable_lab.stop_dc()
            key = service.register(users[1])
        assert breakable_lab.spec.dc_host in told[0]["sentence"]
        assert "Check that" in told[0]["sentence"]
        assert told[0]["pause"] > 0
        for tickets in places.glob("keytrust-krb5-*"):
            shutil.rmtree(tickets)
        with service.told_anew("feed-recovered", feed="worker"), service.told_anew("feed-recovered", feed="directory"):
            breakable_lab.start_dc()
        service.await_sign_in(users[1], key)
        service.delete_values(users[0])
        service.await_values(users[0], 1)
        assert service.events("set-aside") == []
        assert [each for each in service.events("feed-failed") if each["feed"] == "cloud"] == []
        assert service.stop() == 0


def test_a_slow_controller_is_waited_for_and_nothing_is_written_twice(breakable_lab: Lab, tmp_path: Path) -> None:
    users = [LabUser(f"slow{number}") for number in range(4)]
    breakable_lab.add_users(users)
    with RunningService.beside_a_registry(breakable_lab, tmp_path) as service:
        service.enrol(*users)
        service.start()
        with slow(breakable_lab):
            for user in users:
                service.register(user)
            service.eventually(lambda: len(service.events("written")) == len(users), "all keys")
        assert [len(service.account(user).values) for user in users] == [1, 1, 1, 1]
        assert service.events("set-aside") == []
        assert service.stop() == 0
        with opened_store(service.store) as store:
            assert [entry.outcome for entry in Journal(store).entries()] == [Outcome.CONFIRMED] * len(users)


def test_told_to_stop_while_the_controller_stands_still_it_stops_and_goes_on_later(
    breakable_lab: Lab, tmp_path: Path
) -> None:
    users = [LabUser(f"stop{number}") for number in range(3)]
    breakable_lab.add_users(users)
    with RunningService.beside_a_registry(breakable_lab, tmp_path) as service:
        service.extra = {"directory": {"timeout": 5}}
        service.enrol(*users)
        service.start()
        breakable_lab.pause_dc()
        try:
            for user in users:
                service.register(user)
            service.eventually(lambda: _is_waited_for(service), "something that waits")
            began = time.monotonic()
            assert service.stop() == 0
            took = time.monotonic() - began
        finally:
            breakable_lab.resume_dc()
        print(f"stopped within {took:.1f} s")
        assert took < 45
        with opened_store(service.store) as store:
            Journal(store).verify()
        service.start()
        for user in users:
            service.await_values(user, 1)


def _is_waited_for(service: RunningService) -> bool:
    """Whether the changes have come as far as the list of what is to be done."""
    done = service.run("status", "--json")
    return '"waiting": 0' not in done.stdout and '"waiting"' in done.stdout
