"""How often one may try: what is counted, for whom, and in how much memory."""

from __future__ import annotations

import threading

import pytest

from keytrust.registry import RegistrySettings
from keytrust.registry.limits import Limits, TooManyTries, network
from keytrust.registry.rate_limit import RateLimit


def test_tries_are_counted_for_each_peer_and_come_back_with_time() -> None:
    now = [0.0]
    limit = RateLimit(6, now=lambda: now[0])
    assert [limit.take("a") for _ in range(6)] == [None] * 6
    assert limit.take("a") == 10
    assert limit.take("b") is None
    now[0] = 9.5
    assert limit.take("a") == 1
    now[0] = 10.0
    assert limit.take("a") is None
    assert limit.take("a") is not None
    limit.give_back("a")
    assert limit.take("a") is None


def test_no_limit_is_no_limit() -> None:
    limit = RateLimit(0)
    assert {limit.take("a") for _ in range(1000)} == {None}
    limit.give_back("a")


def test_the_memory_for_peers_is_bounded() -> None:
    limit = RateLimit(1, now=lambda: 0.0)
    for number in range(10_001):
        limit.take(str(number))
    assert limit.take("10000") is not None
    assert limit.take("0") is None


def test_threads_share_one_count() -> None:
    limit = RateLimit(100, now=lambda: 0.0)
    allowed: list[int | None] = []
    threads = [threading.Thread(target=lambda: allowed.extend(limit.take("a") for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert allowed.count(None) == 100


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a name", "a name"),
    ],
)
def test_a_subscriber_of_ipv6_is_one_client(address: str, counted: str) -> None:
    assert network(address) == counted


def test_an_account_cannot_be_guessed_at_from_many_addresses() -> None:
    limits = Limits(RegistrySettings(database_url="sqlite://", failures_per_minute=2))
    for number in range(10):
        limits.count_guess(f"192.0.2.{number}", "alice")
    with pytest.raises(TooManyTries, match="this account") as caught:
        limits.count_guess("192.0.2.99", "ALICE")
    assert int(caught.value.headers["Retry-After"]) >= 1
    limits.count_guess("192.0.2.99", "bob")
