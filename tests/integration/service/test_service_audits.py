"""A cloud whose changes say nothing of keys: the audit trail tells of whom to ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.running import RunningService
from tests.support.unruly import Reply, Unruly, unruly

from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


def mute(path: str, body: bytes) -> bytes:
    """Delta without keys, and without users of whom nothing else changed: here, of everybody."""
    if not path.startswith("/beta/users/delta"):
        return body
    content = json.loads(body)
    for user in content["value"]:
        user.pop("deviceKeys", None)
    if "select" not in path:  # a round from a cursor
        content["value"] = []
    return json.dumps(content).encode()


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[tuple[RunningService, Unruly]]:
    with RunningService.beside_a_registry(lab, tmp_path) as service, unruly(service.url) as cloud:
        service.extra = {"cloud": {"url": cloud.url}}
        cloud.rewrite = mute
        yield service, cloud


def test_keys_that_only_the_audit_trail_tells_of_come_and_go(
    site: tuple[RunningService, Unruly], make_user: MakeUser
) -> None:
    service, cloud = site
    before, user = make_user(), make_user()
    service.enrol(before, user)
    service.register(before)
    service.start()
    service.await_values(before, 1)
    key = service.register(user)
    service.await_sign_in(user, key)
    service.revoke(user)
    service.await_no_sign_in(user, key)
    service.await_values(user, 0)
    assert any("/auditLogs/" in path for _, path in cloud.asked)
    assert len(service.events("reconciled")) == 1


def test_that_the_trail_may_not_be_read_is_told_with_what_to_grant_and_hinders_nothing_else(
    site: tuple[RunningService, Unruly], make_user: MakeUser
) -> None:
    service, cloud = site
    user = service.enrol(make_user())
    cloud.reply, cloud.only = Reply(403), lambda path: "/auditLogs/" in path
    cloud.rewrite = lambda _path, body: body
    service.register(user)
    service.start()
    service.await_values(user, 1)
    assert service.stop() == 0
    assert service.events("feed-failed") == []  # its delta shows keys: nobody asks for the trail

    cloud.rewrite = mute
    service.start()
    told = service.await_event("feed-failed", feed="audits")
    assert "AuditLog.Read.All" in told["sentence"]
    service.delete_values(user)
    service.await_values(user, 1)
