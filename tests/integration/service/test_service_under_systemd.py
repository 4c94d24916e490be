"""What ``keytrust run`` itself tells systemd, over a socket as systemd's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.manager import listening_manager
from tests.support.running import RunningService

from keytrust.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end of ``NOTIFY_SOCKET``."""
    with listening_manager(tmp_path, monkeypatch, watchdog_microseconds=1_000_000) as listening:
        yield listening


def test_it_is_ready_feeds_the_watchdog_names_its_domain_and_says_when_it_stops(
    manager: socket.socket, lab: Lab, tmp_path: Path
) -> None:
    with RunningService.beside_a_registry(lab, tmp_path) as service:
        service.start(wait=False)
        assert b"READY=1" in manager.recv(1000).split(b"\n")
        wanted = f"WATCHDOG=1\nSTATUS=Writer for {lab.spec.domain}".encode()
        while manager.recv(1000) != wanted:
            pass
        service.process.terminate()
        while manager.recv(1000) != b"STOPPING=1":
            pass
        assert service.process.wait(60) == 0
        told = [each["event"] for each in service.events("store migrated")]
        assert told == ["store migrated"]
        assert b"alembic" not in service.log.read_bytes()
