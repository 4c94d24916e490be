"""Which attributes the directory's feed follows."""

from __future__ import annotations

import pytest

from keytrust.directory.account import ATTRIBUTES
from keytrust.directory.settings import ScopeSettings
from keytrust.service.watch import followed


def test_without_a_scope_what_accounts_are_planned_by() -> None:
    assert set(followed(ScopeSettings())) == set(ATTRIBUTES)


@pytest.mark.parametrize("scope", [{"ous": ("OU=Sales,DC=corp,DC=example",)}, {"groups": ("WHfB",)}])
def test_with_one_moves_too(scope: dict[str, tuple[str, ...]]) -> None:
    assert set(followed(ScopeSettings(**scope))) == {*ATTRIBUTES, "name"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("(department=Sales)", ["department"]),
        ("(&(department=Sales)(!(employeeType=guest)))", ["department", "employeeType"]),
        ("(|(title~=boss)(logonCount>=3)(badPwdCount<=1)(mail=*))", ["title", "logonCount", "badPwdCount", "mail"]),
        ("(memberOf:1.2.840.113556.1.4.1941:=CN=a,DC=b)", ["memberOf"]),
        (r"(description=a \28x=1\29 y=2)", ["description"]),
        ("(|(NAME=x)(useraccountcontrol=512)(tokenGroups=S-1-5-3)(title=x)(TITLE=y))", ["TITLE"]),
        ("(&(userAccountControl:1.2.840.113556.1.4.803:=2)(extensionAttribute1=x))", ["extensionAttribute1"]),
    ],
)
def test_what_a_filter_asks_for_too(text: str, more: list[str]) -> None:
    found = followed(ScopeSettings(filter=text))
    assert set(found) == {*ATTRIBUTES, "name", *more}
    assert len(found) == len(set(found))
