"""Worker processes, each with two pipes of its own, that take pieces of work in turn.

Not ``concurrent.futures``: there a thread beside the main one collects the results, waits for the interpreter at every
read, and meanwhile all workers wait for it. Here who wants the results collects them, and a pipe holds a whole one.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any, NamedTuple, TypeVar

_AHEAD = 2
"""Pieces in work or waiting for each process: what bounds memory."""
_PIPE_BYTES = 1 << 20  # what Linux grants everybody
_PR_SET_PDEATHSIG = 1  # prctl(2)
_PATIENCE = 5.0  # seconds that a worker is given to end by itself

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class CrewError(Exception):
    """A worker process has died."""


class _Worker(NamedTuple):
    process: ForkProcess
    tasks: Connection
    results: Connection

    def send(self, task: object) -> None:
        try:
            self.tasks.send_bytes(pickle.dumps(task, pickle.HIGHEST_PROTOCOL))
        except OSError as error:
            raise CrewError from error

    def result(self) -> Any:
        try:
            data = self.results.recv_bytes()
        except (EOFError, OSError) as error:
            raise CrewError from error
        result, failure = pickle.loads(data)  # noqa: S301 - from a process that is our own fork
        if failure is not None:
            raise failure
        return result


class Crew:
    """Some worker processes."""

    def __init__(self, workers: list[_Worker]) -> None:
        self._workers = workers

    def each(self, work: Callable[..., Result], pieces: Iterable[Piece], *arguments: object) -> Iterator[Result]:
        """The result of ``work(piece, *arguments)`` for each piece, in their order.

        Who gives up midway ends the crew, since nobody takes the results that are still to come.

        Raises:
            CrewError: a worker process died. What the work raises is raised here.
        """
        pending: deque[_Worker] = deque()
        waiting = enumerate(pieces)
        try:
            while True:
                while len(pending) < _AHEAD * len(self._workers) and (turn := next(waiting, None)) is not None:
                    number, piece = turn
                    worker = self._workers[number % len(self._workers)]
                    worker.send((work, piece, arguments))
                    pending.append(worker)
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            if pending:
                for worker in self._workers:
                    worker.process.kill()


@contextmanager
def crew_of(size: int) -> Iterator[Crew]:
    """Start ``size`` workers. To be asked before anything starts a thread: a fork beside threads can deadlock."""
    workers: list[_Worker] = []
    try:
        for _ in range(size):
            workers.append(_started(workers))
        yield Crew(workers)
    finally:
        for worker in workers:
            worker.tasks.close()
            worker.results.close()
        for worker in workers:
            worker.process.join(_PATIENCE)
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()


def _started(others: list[_Worker]) -> _Worker:
    context = multiprocessing.get_context("fork")
    take, give = context.Pipe(duplex=False)
    collect, deliver = context.Pipe(duplex=False)
    with contextlib.suppress(OSError):  # then a worker waits now and then
        fcntl.fcntl(deliver.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    ours = [give, collect, *(end for other in others for end in (other.tasks, other.results))]
    process = context.Process(target=_work, args=(os.getpid(), take, deliver, ours), daemon=True)
    process.start()
    take.close()
    deliver.close()
    return _Worker(process, give, collect)


def _work(parent: int, tasks: Connection, results: Connection, not_ours: list[Connection]) -> None:
    _begin(parent)
    for end in not_ours:  # or nobody would see its end
        end.close()
    with contextlib.suppress(EOFError, OSError):  # the work is done, or nobody wants it any more
        while True:
            work, piece, arguments = pickle.loads(tasks.recv_bytes())  # noqa: S301 - from our own parent
            results.send_bytes(_answer(work, piece, arguments))


def _answer(work: Callable[..., object], piece: object, arguments: tuple[object, ...]) -> bytes:
    try:
        return pickle.dumps((work(piece, *arguments), None), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # raised where the result is asked for
        return pickle.dumps((None, error), pickle.HIGHEST_PROTOCOL)


def _begin(parent: int) -> None:
    """Make a worker end with its parent, however that ends, and leave Ctrl-C to it."""
    gc.freeze()  # what was inherited lives as long as the worker
    gc.set_threshold(100_000)  # a piece is many small objects without a cycle
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
