"""Resource units: used up to the tenant's limit and not beyond, less after throttling, again more with time."""

from __future__ import annotations

import pytest

from keytrust.cloud.budget import Budget


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def make(units: float = 8000.0) -> tuple[Budget, Clock]:
    clock = Clock()
    return Budget(units, 10.0, now=lambda: clock.now, sleep=clock.sleep), clock


@pytest.mark.parametrize("cost", [1, 20])
def test_no_ten_seconds_see_more_than_the_units_and_a_seconds_worth(cost: int) -> None:
    budget, clock = make()
    times = []
    for _ in range(40_000 // cost):
        budget.take(cost)
        times.append(clock.now)
    for start, moment in enumerate(times):
        later = start + 8800 // cost + 1
        if later < len(times):
            assert times[later] - moment >= 10.0 - 1e-6
    assert times[-1] - times[0] == pytest.approx((40_000 - 800) / 800, abs=0.1)


def test_what_was_not_used_is_not_saved_up_without_end() -> None:
    budget, clock = make()
    budget.take(1)
    clock.now += 3600
    for _ in range(801):
        budget.take(1)
    assert clock.now > 4600.0


def test_throttling_halves_the_pace_down_to_a_least_and_answers_restore_it() -> None:
    budget, clock = make()
    budget.throttled()
    assert budget.share == 0.5
    for _ in range(800):
        budget.take(1)  # the burst
    began = clock.now
    for _ in range(400):
        budget.take(1)
    assert clock.now - began == pytest.approx(1.0, abs=0.01)
    for _ in range(20):
        budget.throttled()
    assert 0 < budget.share < 0.05
    for _ in range(100):
        budget.answered()
    assert budget.share == 1.0
