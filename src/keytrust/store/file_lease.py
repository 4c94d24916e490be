"""A lease as a lock of a file beside an SQLite store, which the kernel drops with the process; see ``lease.py``."""

from __future__ import annotations

import fcntl
import os

from sqlalchemy import Connection

from keytrust.errors import StoreError


class FileLease:
    """See ``Lease``."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def acquire(cls, path: str, holder: str) -> FileLease | None:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"The lock {path} cannot be opened: {error.strerror}.", not_done="Nothing was changed."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, holder.encode(), 0)
        except OSError:  # a full disk: the lock holds all the same, and only its label is missing
            pass
        return cls(handle)

    @staticmethod
    def holder(path: str) -> str | None:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(handle, 400, 0).decode("utf-8", "replace") or None
        finally:
            os.close(handle)
        return None

    def held(self) -> bool:
        return self._handle >= 0

    def fence(self, connection: Connection) -> None:
        if self._handle < 0:
            raise StoreError("This process has given up writing to the domain.", not_done="Nothing was sent.")

    def renew(self) -> bool:
        return self.held()

    def release(self) -> None:
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)
