"""What a complete read holds at a time is bounded, whatever an account holds."""

from __future__ import annotations

from tests.support.world import account, value

from keytrust.service.sides import BATCH, MOST_CHILDREN, batches

VALUES = [value("a", number) for number in range(1000)]


def sizes(*values: int) -> list[int]:
    found = [account(f"user{number}", *VALUES[:count]) for number, count in enumerate(values)]
    return [each.count for each in batches("accounts", found, 1, 1, lambda _: False, with_changed=True)]


def test_accounts_with_a_value_each_come_in_full_batches() -> None:
    assert sizes(*[1] * (2 * BATCH + 1)) == [BATCH, BATCH, 1]


def test_accounts_with_a_thousand_values_each_come_a_few_at_a_time() -> None:
    assert sizes(*[1000] * 21) == [MOST_CHILDREN // 1000] * 2 + [1]


def test_nobody_is_no_batch() -> None:
    assert sizes() == []
