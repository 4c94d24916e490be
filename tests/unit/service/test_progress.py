"""systemd is told that the service is ready, and fed only while every domain makes progress."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from keytrust.service.progress import STALLED_SECONDS, notify, stalled, under_systemd


class Term:
    def __init__(self, age: float) -> None:
        self.beat = time.monotonic() - age

    def last_beat(self) -> float:
        return self.beat


class Service:
    def __init__(self, **ages: float) -> None:
        self._terms = {label: Term(age) for label, age in ages.items()}

    def terms(self) -> dict[str, Term]:
        return self._terms


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "notify"))
    listening.settimeout(30)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "40000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    return listening


def test_ready_then_fed_then_stopping(manager: socket.socket) -> None:
    with manager:
        with under_systemd(Service(a=0.0)):
            assert b"READY=1" in manager.recv(1000)
            assert manager.recv(1000).startswith(b"WATCHDOG=1\nSTATUS=Writer for a")
        last = manager.recv(1000)
        while last != b"STOPPING=1":
            last = manager.recv(1000)


def test_a_domain_that_is_stuck_starves_the_watchdog_and_is_named(manager: socket.socket) -> None:
    with manager, under_systemd(Service(a=0.0, b=STALLED_SECONDS + 1)):
        manager.recv(1000)
        for _ in range(3):
            assert manager.recv(1000) == b"STATUS=No progress in b"


def test_an_instance_that_only_stands_by_is_well(manager: socket.socket) -> None:
    with manager, under_systemd(Service()):
        manager.recv(1000)
        assert manager.recv(1000).startswith(b"WATCHDOG=1")
    assert stalled(Service(a=STALLED_SECONDS - 1)) == ()


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")


def test_a_manager_that_stopped_reading_does_not_hold_up_the_end(manager: socket.socket) -> None:
    with manager:
        told = 0
        while notify("WATCHDOG=1"):
            told += 1
        assert told > 0, "the queue was full before anything was told"
        with under_systemd(Service(a=0.0)):
            pass
