"""Service records: whose word counts when one resolver is silent and the other knows nothing."""

from __future__ import annotations

from typing import Any

import dns.resolver
import pytest

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.reading import dns as reading


class Resolver:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def resolve(self, *_: Any, **__: Any) -> Any:
        raise self.error


def test_a_controller_without_an_address_is_no_reason_to_call_records_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_at", lambda _: None)
    monkeypatch.setattr(reading, "_own", lambda: Resolver(dns.resolver.NXDOMAIN()))
    assert isinstance(reading.service_hosts("_ldap._tcp", "corp.example", "gone.corp.example", 2), Unread)


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (dns.resolver.NXDOMAIN(), dns.resolver.LifetimeTimeout(timeout=2, errors=[]), frozenset()),
        (dns.resolver.NoNameservers(), dns.resolver.NXDOMAIN(), frozenset()),
        (dns.resolver.LifetimeTimeout(timeout=2, errors=[]), dns.resolver.NXDOMAIN(), None),
        (dns.resolver.LifetimeTimeout(timeout=2, errors=[]), dns.resolver.LifetimeTimeout(timeout=2, errors=[]), None),
    ],
    ids=["theirs says none", "theirs has no service", "theirs is silent", "both are silent"],
)
def test_records_are_called_missing_only_by_who_would_know(
    theirs: Exception, ours: Exception, expected: frozenset[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_at", lambda _: Resolver(theirs))
    monkeypatch.setattr(reading, "_own", lambda: Resolver(ours))
    found = reading.service_hosts("_ldap._tcp", "corp.example", "dc1.corp.example", 2)
    if expected is None:
        assert isinstance(found, Unread)
        assert "dc1.corp.example: no answer within 2 s" in found.why
    else:
        assert found == expected
