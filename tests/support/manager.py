"""What listens in place of systemd."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def listening_manager(
    folder: Path, environment: pytest.MonkeyPatch, *, watchdog_microseconds: int
) -> Iterator[socket.socket]:
    """The other end of ``NOTIFY_SOCKET``, for this process and those that it starts."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(folder / "notify"))
        listening.settimeout(60)
        environment.setenv("NOTIFY_SOCKET", str(folder / "notify"))
        environment.setenv("WATCHDOG_USEC", str(watchdog_microseconds))
        environment.delenv("WATCHDOG_PID", raising=False)
        yield listening
