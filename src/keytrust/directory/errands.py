"""Many questions asked at once, and an end to waiting for their answers."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Errands(Generic[Key, Answer]):
    """Runs each question in one of a bounded number of threads.

    The threads are daemons, unlike those of ThreadPoolExecutor: the resolver of the C library has no time-out, and a
    program that has its results must not wait for it at its end. So a question must hold nothing that has to be
    cleaned up.
    """

    def __init__(self, workers: int) -> None:
        """``workers`` threads at most; none is started before it is needed."""
        self._workers = workers
        self._waiting: queue.SimpleQueue[tuple[Future[Answer], Callable[[], Answer]]] = queue.SimpleQueue()
        self._threads = 0
        self._futures: dict[Key, Future[Answer]] = {}

    def send(self, key: Key, question: Callable[[], Answer]) -> None:
        """Ask, unless this has been asked already."""
        if key in self._futures:
            return
        future: Future[Answer] = Future()
        self._futures[key] = future
        self._waiting.put((future, question))
        if self._threads < self._workers:
            self._threads += 1
            threading.Thread(target=self._work, daemon=True, name="errand").start()

    def collect(self, deadline: float) -> dict[Key, Answer]:
        """The answers that have come by ``deadline`` (of ``time.monotonic``); what is still out is left out."""
        done, _ = wait(self._futures.values(), timeout=max(0.0, deadline - time.monotonic()))
        for future in self._futures.values():
            future.cancel()  # those that nobody has begun with
        return {key: future.result() for key, future in self._futures.items() if future in done}

    def _work(self) -> None:
        while True:
            future, question = self._waiting.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(question())
            except BaseException as error:  # it is raised where the answer is collected
                future.set_exception(error)
