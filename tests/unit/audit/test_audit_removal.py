"""What ``audit --fix`` may remove: what was named, all of that or nothing, and only while the reason holds."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from audit_world import Account, subject
from tests.support.world import NOW, cloud_user, key, value

from keytrust.audit.auditor import Auditor
from keytrust.audit.errors import AuditError
from keytrust.audit.inspect import inspect
from keytrust.audit.model import Code
from keytrust.audit.registered import RegisteredKeys
from keytrust.audit.removal import Candidate, Candidates, Named, still_unregistered
from keytrust.audit.rules import Context
from keytrust.audit.spool import Findings

CLOUD = [cloud_user("alice", (key(1),)), cloud_user("bob", ())]
ACCOUNTS: list[Account] = [
    (subject("alice"), [value("alice", 1), value("alice", 2)]),
    (subject("bob"), [value("bob", 3), value("bob", 1)]),
]


def chosen(*names: str, accepted: Iterable[str] = ()) -> list[Candidate]:
    candidates = Candidates(Named.parse(names), frozenset(accepted))
    with Findings() as findings:
        auditor = Auditor(Context(int(NOW.timestamp()), RegisteredKeys(CLOUD)), findings, candidates)
        for who, values in ACCOUNTS:
            auditor.take(who, [inspect(raw, who.dn, keep_raw=True) for raw in values])
        return candidates.finish()


def raws(found: Iterable[Candidate]) -> list[bytes]:
    return [each.value.raw for each in found]


def identity(raw: bytes, name: str) -> str:
    return inspect(raw, subject(name).dn).identity.hex()


def test_a_kind_names_every_value_with_that_finding_and_no_other() -> None:
    assert raws(chosen("key-not-registered")) == [value("alice", 2), value("bob", 3), value("bob", 1)]
    assert raws(chosen("roca-weak-key")) == []


def test_with_nothing_named_everything_that_could_be_is_listed() -> None:
    assert len(chosen()) == 3


def test_a_fingerprint_names_one_value_of_one_account() -> None:
    (bobs,) = [c for c in chosen("key-not-registered") if c.value.raw == value("bob", 1)]
    assert bobs.reason is not None
    assert raws(chosen(bobs.reason.fingerprint.upper())) == [value("bob", 1)]


def test_a_value_is_named_by_its_id_even_when_nothing_is_found_about_it() -> None:
    (one,) = chosen(identity(value("bob", 3), "bob"))
    assert (one.value.raw, one.subject.name) == (value("bob", 3), "bob")
    # The registered key's value stands on two accounts, byte for byte but for the name: too much to name at once.
    with pytest.raises(AuditError, match="2 accounts hold the value"):
        chosen(identity(value("alice", 1), "alice"))


def test_a_name_that_names_nothing_stops_everything() -> None:
    with pytest.raises(AuditError, match="has the name"):
        chosen("key-not-registered", "0" * 32)
    with pytest.raises(AuditError, match="has the name"):
        chosen("f" * 64)


@pytest.mark.parametrize("name", ["", "all", "key-on-privileged-account", "0" * 31, "g" * 32, "many-keys"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Named.parse([name])


def test_what_the_baseline_accepts_is_not_removed_for_its_kind() -> None:
    first, *rest = chosen("key-not-registered")
    assert first.reason is not None
    assert raws(chosen("key-not-registered", accepted=[first.reason.fingerprint])) == raws(rest)


def test_a_key_that_was_registered_while_the_audit_ran_is_not_planted() -> None:
    (named,) = [c for c in chosen("key-not-registered") if c.value.raw == value("alice", 2)]
    assert named.reason is not None and named.reason.code is Code.NOT_REGISTERED
    assert still_unregistered(named, RegisteredKeys(CLOUD))
    assert not still_unregistered(named, RegisteredKeys([cloud_user("alice", (key(1), key(2)))]))
    assert not still_unregistered(named, RegisteredKeys([]))
