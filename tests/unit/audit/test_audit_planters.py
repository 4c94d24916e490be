"""Who could plant: expected principals are silent, others are named once for any number of accounts."""

from __future__ import annotations

import pytest
from audit_world import computer, subject
from tests.support.security_descriptors import ADMINS, DOMAIN, ace, descriptor

from keytrust.audit.grants import GrantCounter
from keytrust.audit.model import Code, Finding, Severity
from keytrust.audit.planters import Planters, resolver
from keytrust.directory.security.writers import KEY_LINK_GUID, SELF, VALIDATED_WRITE_COMPUTER

KEY_ADMINS, HELPDESK = f"{DOMAIN}-526", f"{DOMAIN}-1105"
USUAL = (
    ace("S-1-5-18", 0xF01FF),
    ace(ADMINS, 0xF01FF),
    ace("S-1-5-32-544", 0xF01FF),
    ace(KEY_ADMINS, 0x30, object_type=KEY_LINK_GUID),
    ace("S-1-5-11", 0x20094),
)
HELPED = ace(HELPDESK, 0x20, object_type=KEY_LINK_GUID)


def found(*accounts: tuple[object, bytes], expected: tuple[str, ...] = (), resolve: object = None) -> list[Finding]:
    counter = GrantCounter()
    for who, data in accounts:
        counter.take(who, data)  # type: ignore[arg-type]
    planters = Planters(expected)
    planters.take(counter.grants())
    return list(planters.findings(resolve) if resolve else planters.findings())  # type: ignore[arg-type]


def test_administrators_and_key_admins_are_expected() -> None:
    assert found((subject("a"), descriptor(*USUAL))) == []


def test_a_hundred_thousand_accounts_give_one_finding() -> None:
    data = descriptor(*USUAL, HELPED)
    (finding,) = found(*((subject("a"), data) for _ in range(100_000)))
    assert (finding.code, finding.sid, finding.severity) == (Code.UNEXPECTED_WRITER, HELPDESK, Severity.HIGH)
    assert "100,000 accounts" in finding.message


def test_a_principal_for_each_account_is_a_page_and_not_a_flood() -> None:
    # Whoever joins a computer to the domain owns it.
    accounts = [(computer(f"pc{n}"), descriptor(*USUAL, owner=f"{DOMAIN}-{2000 + n}")) for n in range(3000)]
    told = found(*accounts, (subject("root", privileged=True), descriptor(*USUAL, owner=f"{DOMAIN}-9999")))
    assert len(told) == 51
    assert told[0].sid == f"{DOMAIN}-9999"
    assert told[-1].account == "2,951 more principals"
    assert "keys of 2,951 accounts" in told[-1].message
    assert told[-1].evidence["examples"].count(";") == 4


def test_privileged_accounts_are_told_apart_and_named_first() -> None:
    data = descriptor(*USUAL, HELPED)
    accounts = [(subject(f"user{n}"), data) for n in range(9)] + [(subject("root", privileged=True), data)]
    (finding,) = found(*accounts)
    assert "10 accounts (1 privileged)" in finding.message
    assert finding.evidence["examples"].startswith("root; ")


@pytest.mark.parametrize("who", ["S-1-1-0", "S-1-5-11", "S-1-5-7", f"{DOMAIN}-513"])
def test_everybody_is_critical(who: str) -> None:
    (finding,) = found((subject("a"), descriptor(*USUAL, ace(who, 0x40000))))
    assert (finding.code, finding.severity) == (Code.BROAD_WRITER, Severity.CRITICAL)


def test_the_adprep_defect() -> None:
    (finding,) = found((subject("a"), descriptor(*USUAL, ace(f"{DOMAIN}-527", 0xF01FF))))
    assert finding.code is Code.ADPREP_DEFECT


def test_a_computer_may_write_its_own_key_and_others_may_not() -> None:
    own = descriptor(*USUAL, ace(SELF, 0x8, object_type=VALIDATED_WRITE_COMPUTER))
    assert found((computer("PC"), own)) == []
    others = descriptor(*USUAL, ace(HELPDESK, 0x8, object_type=VALIDATED_WRITE_COMPUTER))
    assert [f.sid for f in found((computer("PC"), others))] == [HELPDESK]


@pytest.mark.parametrize("name", [HELPDESK, "keycredential admins"])
def test_who_is_expected_by_the_operator_is_silent(name: str) -> None:
    resolve = resolver({"cn=g": ("KeyCredential Admins", ())}, {HELPDESK: "cn=g"})
    assert found((subject("a"), descriptor(*USUAL, HELPED)), expected=(name,), resolve=resolve) == []


def test_members_are_resolved_through_groups_that_contain_each_other() -> None:
    groups = {
        "cn=outer": ("Helpdesk", ("CN=Inner", "CN=ann")),
        "cn=inner": ("Inner", ("CN=Outer", "CN=bob")),
    }
    (finding,) = found((subject("a"), descriptor(*USUAL, HELPED)), resolve=resolver(groups, {HELPDESK: "cn=outer"}))
    assert finding.account == "Helpdesk"
    assert set(finding.evidence["members"].split("; ")) == {"CN=ann", "CN=bob"}


def test_a_group_that_nobody_is_in_matters_little() -> None:
    resolve = resolver({"cn=g": ("Helpdesk", ())}, {HELPDESK: "cn=g"})
    (finding,) = found((subject("a", privileged=True), descriptor(*USUAL, HELPED)), resolve=resolve)
    assert (finding.severity, finding.evidence["members"]) == (Severity.LOW, "none")


def test_a_descriptor_that_cannot_be_read_is_told() -> None:
    assert [f.code for f in found((subject("a"), b"nonsense"))] == [Code.UNREADABLE_DESCRIPTOR]
