"""The processes that live in a tree, found by asking the kernel which file system root each process has.

A process id that was written down may by now belong to someone else; the root directory of a process cannot be
mistaken. So nothing here ever signals a process that is not inside the tree.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from keytrust.errors import LabError

_PROC = Path("/proc")


def living_in(tree: Path) -> list[int]:
    """Ids of the processes whose root directory is ``tree``, even a deleted one. Zombies do not count."""
    try:
        status = tree.stat()
        identity = (status.st_dev, status.st_ino)
    except FileNotFoundError:
        identity = None
    names = {str(tree), f"{tree} (deleted)"}
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            root = (entry / "root").stat()
            lives = (root.st_dev, root.st_ino) == identity or str((entry / "root").readlink()) in names
        except OSError:  # it has ended, or is a zombie, which has no root
            continue
        if lives:
            found.append(int(entry.name))
    return sorted(found)


def signal_all(tree: Path, number: signal.Signals) -> int:
    """Send a signal to every process of the tree; returns how many got it."""
    sent = 0
    for pid in living_in(tree):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            sent += 1
    return sent


def kill_all(tree: Path, timeout: float = 10) -> int:
    """Kill every process of the tree, those included that are born meanwhile; returns how many there were at first.

    Raises:
        LabError: some survive ``timeout`` seconds (a process stuck in the kernel).
    """
    first = len(living_in(tree))
    deadline = time.monotonic() + timeout
    while signal_all(tree, signal.SIGKILL):
        if time.monotonic() > deadline:
            raise LabError(
                f"Processes of the lab in {tree} do not die: {living_in(tree)}.",
                not_done="The lab was not removed.",
                remedy="Look at what they wait for (ps -o pid,stat,wchan), then run `keytrust lab down` again.",
            )
        time.sleep(0.02)
    return first
