"""A dump of any size, worked on by all processors, a few pieces at a time."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from keytrust.audit.devices import Device
from keytrust.audit.errors import AuditError
from keytrust.audit.ldif.batch import Batch, Wish, read_batch, read_devices
from keytrust.audit.ldif.text import Piece, on_disk, pieces

_AHEAD = 2
"""Pieces in work or waiting for each process: what bounds memory."""
_SMALL = 8 << 20
MAX_DEVICES = 3_000_000
"""More devices than the largest tenants have."""
_PR_SET_PDEATHSIG = 1  # prctl(2)

Result = TypeVar("Result")


class Dump:
    """A dump that is open for reading, as often as needed.

    Attributes:
        size: Its bytes, in UTF-8.
    """

    def __init__(self, path: Path, name: str, pool: ProcessPoolExecutor | None, workers: int) -> None:
        self._path = path
        self._name = name
        self._pool = pool
        self._workers = workers
        self.size = path.stat().st_size

    def batches(self, wish: Wish) -> Iterator[Batch]:
        """Everything in it, piece by piece and in order.

        Raises:
            AuditError: it is not LDIF at all, or a worker process died.
        """
        yield from self._each(read_batch, wish)

    def devices(self) -> list[Device]:
        """The devices in it (class ``msDS-Device``).

        Raises:
            AuditError: see ``batches``; or there are more than ``MAX_DEVICES``.
        """
        devices: list[Device] = []
        for found in self._each(read_devices):
            devices += found
            if len(devices) > MAX_DEVICES:
                raise AuditError(
                    f"{self._name} has more than {MAX_DEVICES:,} devices.",
                    not_done="The audit was given up.",
                    remedy="Look at the dump, it is damaged or made up; or leave its msDS-Device objects out.",
                )
        return devices

    def _each(self, work: Callable[..., Result], *arguments: object) -> Iterator[Result]:
        try:
            if self._pool is None:
                for piece in pieces(self._path):
                    yield work(piece, *arguments)
            else:
                yield from self._spread(self._pool, work, arguments)
        except BrokenProcessPool as error:
            raise AuditError(
                f"A process that read {self._name} died, most likely for lack of memory.",
                not_done="The audit was given up.",
                remedy="Run it again on a machine with more memory, or with --jobs 1.",
            ) from error
        except OSError as error:
            raise AuditError(f"The dump {self._name} cannot be read: {error.strerror}.") from error

    def _spread(
        self, pool: ProcessPoolExecutor, work: Callable[..., Result], arguments: tuple[object, ...]
    ) -> Iterator[Result]:
        pending: deque[Future[Result]] = deque()
        waiting: Iterator[Piece] = pieces(self._path)
        try:
            while True:
                while len(pending) < _AHEAD * self._workers and (piece := next(waiting, None)) is not None:
                    pending.append(pool.submit(work, piece, *arguments))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


@contextmanager
def open_dump(path: Path, jobs: int | None = None) -> Iterator[Dump]:
    """Open a dump; ``-`` is standard input.

    Args:
        path: The file.
        jobs: Processes to work on it; by default one for each processor, and for a small dump none but this one.

    Raises:
        AuditError: it cannot be read.
    """
    with ExitStack() as stack:
        file = stack.enter_context(on_disk(path))
        workers = jobs or len(os.sched_getaffinity(0))
        pool = None
        if not file.is_file():
            raise AuditError(f"The dump {path} is not a file.", not_done="Nothing was audited.")
        if workers > 1 and file.stat().st_size > _SMALL:
            # Forked now, before anything starts a thread: a fork beside threads can deadlock.
            pool = stack.enter_context(_pool(workers))
        yield Dump(file, str(path), pool, workers)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(os.getpid(),))
    try:
        pool.submit(os.getpid).result()
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    """Make a worker end with its parent, however that ends, and leave Ctrl-C to it."""
    gc.freeze()  # what was inherited lives as long as the worker
    gc.set_threshold(100_000)  # a piece is many small objects without a cycle
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
