"""How long the client waits, without waiting."""

from __future__ import annotations

import pytest

from keytrust.cloud.retry import Patience, RetryPolicy, parse_retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("\u0663", None),
        ("Tue, 99 Nov 99999 22:13:20 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


def policy(waits: list[float], **changes: float) -> RetryPolicy:
    attempts = int(changes.pop("attempts", 6))
    return RetryPolicy(attempts=attempts, sleep=waits.append, jitter=lambda: 0.5, now=lambda: NOW, **changes)


def test_waits_double_up_to_the_longest() -> None:
    waits: list[float] = []
    patience = Patience(policy(waits, first=1.0, longest=4.0))
    assert [patience.wait(attempt) for attempt in range(1, 7)] == [True] * 5 + [False]
    assert waits == [0.75, 1.5, 3.0, 3.0, 3.0]


def test_the_servers_wish_is_a_minimum() -> None:
    waits: list[float] = []
    assert Patience(policy(waits)).wait(1, "17")
    assert waits[0] >= 17


def test_a_wait_beyond_the_total_is_not_begun() -> None:
    waits: list[float] = []
    patience = Patience(policy(waits, total=100.0))
    assert patience.wait(1, "90")
    assert not patience.wait(1, "90")
    assert len(waits) == 1
