"""One change at a time: an exclusive lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None], *, remove: bool = False) -> Iterator[None]:
    """Hold the lock ``path`` for the duration of the block.

    Args:
        path: Lock file, made when missing.
        waiting: Called once when another process holds the lock, before waiting for it.
        remove: Delete the file at the end, for a caller that leaves no trace.
    """
    handle = _acquire(path, waiting)
    try:
        yield
    finally:
        if remove:
            path.unlink(missing_ok=True)
        os.close(handle)


def _acquire(path: Path, waiting: Callable[[], None]) -> int:
    told = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the directory was removed in between
            continue
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    waiting()
                    told = True
                fcntl.flock(handle, fcntl.LOCK_EX)
            # The holder before us may have deleted the file: then ours is the lock of nothing, and we start over.
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
