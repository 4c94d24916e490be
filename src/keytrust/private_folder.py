"""Folders for files that only this process may see, and that are gone when it is: tickets, a user's private key.

A process that is killed cannot remove its own. Each folder therefore holds a file that is locked as long as its process
lives, and the next process that makes one removes those whose lock is free.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path

_PREFIX = "keytrust-"
_LOCK = ".lock"
_MOST_REMOVED = 1000
"""Folders that one process removes: it has something else to do too."""


@contextmanager
def private_folder(what: str) -> Iterator[Path]:
    """Yield a new folder that only this user can enter (mode 0700); it is removed afterwards.

    Args:
        what: What it is for: a word in its name.

    Raises:
        OSError: it cannot be made.
    """
    _sweep_once(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{what}-"))
    try:
        # Locked before it has the name that others look for, until it is gone: nobody ever sees it with a free lock.
        with (folder / "lock.new").open("wb") as lock:
            with suppress(OSError):  # a file system without locks: then nobody removes it in our stead
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (folder / "lock.new").rename(folder / _LOCK)
            try:
                yield folder
            finally:
                with suppress(FileNotFoundError):  # somebody removed it: a program that cleans up old files
                    shutil.rmtree(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_private(folder: Path) -> bool:
    """Whether a folder is one of this module's, of this or another process."""
    return folder.name.startswith(_PREFIX) and (folder / _LOCK).exists()


def remove_abandoned(place: Path) -> int:
    """Remove the folders below ``place`` whose process is gone, a thousand at most; how many there were.

    Only this user's own, and never what is not certain to be one: a folder without a lock file stays.
    """
    removed = 0
    for folder in islice(filter(_abandoned, place.glob(f"{_PREFIX}*")), _MOST_REMOVED):
        with suppress(OSError):
            shutil.rmtree(folder)
            removed += 1
    return removed


def _abandoned(folder: Path) -> bool:
    try:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        lock = os.open(folder / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # its process lives
    finally:
        os.close(lock)
    return True


@cache
def _sweep_once(place: str) -> None:
    remove_abandoned(Path(place))
