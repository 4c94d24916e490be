"""Worker processes: results in order and of any size, errors and deaths told, nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest

from keytrust.audit.errors import AuditError
from keytrust.audit.ldif.crew import Crew, CrewError, crew_of


@pytest.fixture
def crew() -> Iterator[Crew]:
    with crew_of(2) as crew:
        yield crew
    assert multiprocessing.active_children() == []


def doubled(number: int, extra: bytes = b"") -> tuple[int, bytes]:
    return 2 * number, extra


def large(number: int) -> bytes:
    return bytes((number,)) * (5 << 20)


def process_of(_: int) -> int:
    return os.getpid()


def refusing(number: int) -> int:
    if number == 7:
        raise AuditError("Seven cannot be done.", not_done="Nothing was.", remedy="Leave it out.")
    return number


def dying(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_come_in_the_order_of_the_pieces(crew: Crew) -> None:
    assert list(crew.each(doubled, range(100), b"x")) == [(2 * number, b"x") for number in range(100)]
    assert [number for number, _ in crew.each(doubled, range(3))] == [0, 2, 4]
    assert list(crew.each(doubled, [])) == []


def test_all_workers_work_and_none_of_it_is_done_here(crew: Crew) -> None:
    processes = set(crew.each(process_of, range(10)))
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_results_larger_than_a_pipe(crew: Crew) -> None:
    assert [(len(data), data[0]) for data in crew.each(large, range(6))] == [(5 << 20, number) for number in range(6)]


def test_an_error_of_the_work_is_raised_as_it_was(crew: Crew) -> None:
    results = crew.each(refusing, range(20))
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(AuditError) as raised:
        next(results)
    assert (raised.value.not_done, raised.value.remedy) == ("Nothing was.", "Leave it out.")


def test_a_worker_that_dies_is_told(crew: Crew) -> None:
    with pytest.raises(CrewError):
        list(crew.each(dying, range(20)))


def test_who_gives_up_leaves_no_process_behind() -> None:
    with crew_of(3) as crew:
        for _ in crew.each(large, range(50)):
            break
    assert multiprocessing.active_children() == []
