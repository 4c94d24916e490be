"""``keytrust run`` beside the registry and a real domain controller."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.running import RunningService

from keytrust.lab import LabUser

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


def test_a_key_signs_in_seconds_after_its_registration_and_not_after_its_revocation(
    service: RunningService, make_user: MakeUser
) -> None:
    user = service.enrol(make_user())
    key = service.register(user)
    service.await_sign_in(user, key)
    assert service.await_event("written", account=user.sam)["server"] == service.lab.spec.dc_host
    assert service.events("a listener failed") == []
    service.register(service.enrol(make_user()))  # so that one of two keys is revoked, and not all
    service.revoke(user)
    service.await_no_sign_in(user, key)


def test_a_value_that_somebody_deletes_comes_back_and_one_that_somebody_plants_is_reported(
    service: RunningService, make_user: MakeUser
) -> None:
    user = service.enrol(make_user())
    key = service.register(user)
    service.await_sign_in(user, key)
    service.delete_values(user)
    service.await_values(user, 1)
    planted = service.plant(user)
    event = service.await_event("unexpected-value", account=user.sam)
    assert event["value"] == planted
    service.await_values(user, 2)


def test_it_stops_at_once_when_told_to_and_begins_where_it_left_off(
    service: RunningService, make_user: MakeUser
) -> None:
    assert service.stop() == 0
    user = service.enrol(make_user())
    key = service.register(user)
    service.start()
    service.await_sign_in(user, key)


def test_it_asks_the_cloud_again_and_again_on_connections_that_it_keeps(service: RunningService) -> None:
    port = int(service.url.rpartition(":")[2])
    service.eventually(lambda: _connections(service.process.pid, port), "a connection")
    seen, until = set[str](), time.monotonic() + 5
    while time.monotonic() < until:  # some twenty polls
        seen |= _connections(service.process.pid, port)
        time.sleep(0.01)
    assert len(seen) <= 3, "one for each feed that asks at the same time, and not one for each poll"


def _connections(process: int, port: int) -> set[str]:
    """The process's own ends of its established connections to this port."""
    sockets = set()
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            sockets.add(str(file.readlink()))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        mine
        for _, mine, theirs, state, in_node in [(*line[:4], line[9]) for line in lines]
        if state == "01" and theirs.endswith(f":{port:04X}") and f"socket:[{in_node}]" in sockets
    }
