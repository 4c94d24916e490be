"""Reading several sides at once: their parts as they come, and an end to it at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Protocol

from keytrust.service.reading import Part, Reading

_LOOK_SECONDS = 0.2
"""How often somebody who waits looks whether there is still a reason to."""


class Parts(Iterator[Part], Protocol):
    """The parts of one side. ``close``, from any thread, ends the reading; a generator is one, and refuses while it
    works on the next part."""

    def close(self) -> None:
        """End the reading."""


Read = Callable[[Reading], Parts]


class StopReadingError(Exception):
    """The term ended during a complete read."""


def interleaved(read: Read, readings: dict[str, Reading], stopping: Callable[[], bool]) -> Iterator[tuple[str, Part]]:
    """The parts of all sides as they come, each side read in a thread of its own, few parts ahead.

    Args:
        read: Reads one side.
        readings: The sides.
        stopping: Asked while nothing comes: whatever a side waits for, it is given up then.

    Raises:
        CloudError, DirectoryError, StoreError: a side could not be read completely; the others are given up.
        StopReadingError: ``stopping``.
    """
    queue: Queue[tuple[str, Part | BaseException | None]] = Queue(maxsize=2)
    given_up = threading.Event()
    sides = {side: read(reading) for side, reading in readings.items()}

    def put(side: str, item: Part | BaseException | None) -> bool:
        while not given_up.is_set():
            try:
                queue.put((side, item), timeout=_LOOK_SECONDS)
            except Full:
                continue
            return True
        return False

    def pump(side: str) -> None:
        try:
            for part in sides[side]:
                if not put(side, part):
                    return
            put(side, None)
        except BaseException as error:
            put(side, error)

    threads = [threading.Thread(target=pump, args=(side,), name=f"read {side}", daemon=True) for side in sides]
    for thread in threads:
        thread.start()
    try:
        running = len(threads)
        while running:
            if stopping():
                raise StopReadingError
            try:
                side, item = queue.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield side, item
    finally:
        given_up.set()
        for parts in sides.values():
            with suppress(ValueError):  # a generator at work
                parts.close()
        for thread in threads:
            thread.join(5)
