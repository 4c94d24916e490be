"""``keytrust run`` that is told of changes: it need not wait for its next poll."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.running import RunningService

from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab


def test_a_registration_is_acted_upon_at_once_by_a_service_that_polls_once_an_hour(
    lab: Lab, make_user: Callable[..., LabUser], tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with RunningService.beside_a_registry(lab, tmp_path) as service:
        service.extra = {
            "service": {"poll_seconds": 3600},
            "cloud": {"notifications": {"url": f"http://127.0.0.1:{port}/notify", "port": port}},
        }
        service.start()
        user = service.enrol(make_user())
        key = service.register(user)
        service.await_sign_in(user, key)
        assert service.stop() == 0
