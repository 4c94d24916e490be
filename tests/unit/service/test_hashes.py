"""Numbers that stand for names and digests: none stands for two that somebody chose."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keytrust.service.hashes import Fingerprints, Hashes

digests = st.binary(min_size=16, max_size=16)


@given(st.sets(digests, max_size=50))
def test_each_digest_has_a_number_of_its_own_that_a_set_can_hold(some: set[bytes]) -> None:
    rule = Fingerprints.drawn()
    known = Hashes.frozen(rule.of(each) for each in some)
    assert len(known) == len(some)
    assert all(rule.of(each) in known for each in some)


@given(digests, digests)
def test_what_has_one_number_by_one_rule_has_two_by_the_next(one: bytes, other: bytes) -> None:
    twin = one[:8] + other[8:]
    if one != twin:
        assert Fingerprints.drawn().of(one) != Fingerprints.drawn().of(twin)
    rules = [Fingerprints.drawn() for _ in range(3)]
    assert len({rule.of(one) for rule in rules}) == 3
