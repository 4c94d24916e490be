"""A thing done again and again: what is told of its faults, how long it pauses, what wakes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue

import pytest

from keytrust.cloud.diagnosis import RefusedError
from keytrust.errors import CloudError
from keytrust.service.repeating import Health, Repeating


class Told:
    """What ``on_change`` was told: failures, fault and pause."""

    def __init__(self) -> None:
        self.queue: Queue[tuple[int, str, float]] = Queue()

    def __call__(self, health: Health, pause: float) -> None:
        self.queue.put((health.failures, health.fault, pause))

    def next(self) -> tuple[int, str, float]:
        return self.queue.get(timeout=60)


@contextmanager
def repeating(do: Callable[[], None], told: Told, **given: float) -> Iterator[Repeating]:
    stop = threading.Event()
    made = Repeating("test", do, **({"every": 0.01, "longest": 0.4} | given), stop=stop, on_change=told)  # type: ignore[arg-type]
    made.start()
    try:
        yield made
    finally:
        stop.set()
        assert made.join(60)


def test_a_fault_is_told_with_what_to_do_and_so_is_the_recovery() -> None:
    told, broken = Told(), threading.Event()
    broken.set()

    def do() -> None:
        if broken.is_set():
            raise CloudError("https://graph.example/ answered 503", remedy="read again later")

    with repeating(do, told) as made:
        failures, fault, pause = told.next()
        assert (failures, fault) == (1, "https://graph.example/ answered 503. Read again later.")
        assert pause > 0
        assert made.health.fault == fault
        told.next()
        broken.clear()
        while (last := told.next())[2]:
            pass
        assert last[0] >= 2
        assert (made.health.failures, made.health.fault) == (0, "")
        assert made.health.last_good is not None


def test_pauses_grow_with_jitter_and_have_an_end() -> None:
    told = Told()

    def do() -> None:
        raise CloudError("down")

    with repeating(do, told, every=0.05, longest=0.4):
        pauses = [told.next()[2] for _ in range(6)]
    for number, pause in enumerate(pauses):
        most = min(0.4, 0.25 * 2 ** (number + 1))
        assert most / 2 <= pause <= most


def test_waking_ends_a_pause() -> None:
    told = Told()

    def do() -> None:
        raise CloudError("down")

    with repeating(do, told, every=600.0, longest=3600.0) as made:
        assert told.next()[2] > 300
        made.wake()
        assert told.next()[0] == 2


def test_a_service_that_asks_to_be_left_alone_is_left_alone_even_when_there_is_news() -> None:
    told, asked = Told(), list[float]()

    def do() -> None:
        asked.append(time.monotonic())
        raise RefusedError("busy", 429, "", None, 1.0, remedy="", detail="")

    with repeating(do, told) as made:
        assert told.next()[2] >= 1.0
        made.wake()
        told.next()
    assert asked[1] - asked[0] >= 1.0


def test_a_wish_without_measure_is_not_granted() -> None:
    told = Told()

    def do() -> None:
        raise RefusedError("busy", 503, "", None, 1e9, remedy="", detail="")

    with repeating(do, told):
        assert told.next()[2] <= 3601


def test_what_nobody_foresaw_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told()

    def do() -> None:
        raise ZeroDivisionError("a bug")

    with repeating(do, told):
        assert told.next()[1] == "ZeroDivisionError: a bug."
        assert told.next()[0] == 2
    assert "a bug" in capsys.readouterr().err
