"""Whether the service gets anywhere, and telling systemd so: the watchdog is fed only while it does."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Protocol

STALLED_SECONDS = 300.0
"""The worker comes round every second or so, and at least once a batch; one that has not for so long is stuck. A round
in which every one of several domain controllers has to time out is slow, and not that."""
_USUAL_PAUSE = 5.0
_NOTIFY_SECONDS = 1.0


class Beating(Protocol):
    """A part that says when it last got anywhere, by the monotonic clock."""

    def last_beat(self) -> float: ...


class Watched(Protocol):
    """What is watched: the domains that are worked on, by label."""

    def terms(self) -> Mapping[str, Beating]: ...


def stalled(service: Watched, now: float | None = None) -> tuple[str, ...]:
    """The domains of this instance in which the worker makes no progress."""
    now = time.monotonic() if now is None else now
    return tuple(label for label, term in service.terms().items() if now - term.last_beat() > STALLED_SECONDS)


def notify(*lines: str) -> bool:
    """Tell systemd something (sd_notify(3)); False when nobody listens, or not soon enough."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(_NOTIFY_SECONDS)  # a manager that does not read must not hold up the end of the service
        try:
            connection.connect(address)
            connection.sendall("\n".join(lines).encode())
        except OSError:
            return False
    return True


@contextlib.contextmanager
def under_systemd(service: Watched) -> Iterator[None]:
    """Say that the service is ready, feed the watchdog while it gets anywhere, and say when it stops.

    Harmless where there is no systemd.
    """
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(service, ended, _pause()), name="watchdog", daemon=True)
    notify("READY=1", "STATUS=Standing for its domains")
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        notify("STOPPING=1")


def _pause() -> float:
    """Half of what systemd allows, as sd_watchdog_enabled(3) recommends, when it watches this process."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return min(_USUAL_PAUSE, int(limit) / 2_000_000) if mine and limit.isdigit() and int(limit) else _USUAL_PAUSE


def _keep(service: Watched, ended: threading.Event, pause: float) -> None:
    while not ended.wait(pause):
        stuck = stalled(service)
        if stuck:
            notify(f"STATUS=No progress in {', '.join(stuck)}")
            continue
        labels = ", ".join(service.terms()) or "none: another instance is, or nothing could be reached yet"
        notify("WATCHDOG=1", f"STATUS=Writer for {labels}")
