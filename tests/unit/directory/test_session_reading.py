"""Reading through pages and ranges, against a connection that answers as servers do, and as they should not."""

from __future__ import annotations

from collections import deque
from typing import Any

import ldap
import pytest
from ldap.controls import SimplePagedResultsControl
from tests.support.world import guid, sid

from keytrust.directory.account import KEY_LINK
from keytrust.directory.session import Session
from keytrust.errors import DirectoryError

BINARY_SID = bytes.fromhex("010500000000000515000000010000000200000003000000e8030000")


class Connection:
    """Answers searches from a list, one answer each; an exception is raised instead of returned."""

    def __init__(self, *answers: Any) -> None:
        self.answers = deque(answers)
        self.asked: list[tuple[str, list[str]]] = []

    def search_ext(self, base: str, scope: int, filter_text: str, attributes: list[str], serverctrls: Any) -> int:
        self.asked.append((base, attributes))
        return len(self.asked)

    def result3(self, ticket: int, timeout: float) -> tuple[int, list[Any], int, list[Any]]:
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        rows, cookie = answer
        control = SimplePagedResultsControl(False, size=0, cookie=cookie)
        return ldap.RES_SEARCH_RESULT, rows, ticket, [control]

    def unbind_ext(self) -> None:
        pass


def session(*answers: Any) -> Session:
    return Session(Connection(*answers), "dc1", page_size=2, timeout=1)


def entry(name: str, **attributes: list[bytes]) -> tuple[str, dict[str, list[bytes]]]:
    given = {"objectGUID": [guid(name)], "objectSid": [BINARY_SID], "sAMAccountName": [name.encode()]}
    return f"CN={name}", given | attributes


def ranged(first: int, last: str, *values: bytes) -> dict[str, list[bytes]]:
    return {f"{KEY_LINK};range={first}-{last}": list(values)}


def test_all_pages_are_read_in_order() -> None:
    reader = session(([entry("a"), entry("b")], b"1"), ([], b"2"), ([entry("c")], b""))
    assert [account.name for account in reader.accounts("", "")] == ["a", "b", "c"]


def test_a_page_that_fails_ends_the_reading_with_an_error_and_not_with_fewer_accounts() -> None:
    for error in (ldap.SERVER_DOWN(), ldap.SIZELIMIT_EXCEEDED(), ldap.UNAVAILABLE(), ldap.TIMEOUT()):
        reader = session(([entry("a")], b"1"), error)
        with pytest.raises(DirectoryError, match="stopped before the end"):
            list(reader.accounts("", ""))


def test_referrals_to_other_domains_are_not_accounts() -> None:
    reader = session(([(None, ["ldap://other"]), entry("a")], b""))
    assert [account.name for account in reader.accounts("", "")] == ["a"]


def test_attribute_names_in_any_case_are_understood() -> None:
    dn, attributes = entry("a")
    reader = session(([(dn, {name.upper(): values for name, values in attributes.items()})], b""))
    assert next(iter(reader.accounts("", ""))).name == "a"


def test_a_ranged_attribute_is_read_to_its_end() -> None:
    reader = session(
        ([entry("a", **ranged(0, "1", b"v0", b"v1"))], b""),
        ([entry("a", **ranged(2, "3", b"v2", b"v3"))], b""),
        ([entry("a", **ranged(4, "*", b"v4"))], b""),
    )
    (account,) = reader.accounts("", "")
    assert account.values == (b"v0", b"v1", b"v2", b"v3", b"v4")


def test_a_value_that_moves_into_the_next_range_meanwhile_is_counted_once() -> None:
    reader = session(
        ([entry("a", **ranged(0, "1", b"v0", b"v1"))], b""), ([entry("a", **ranged(2, "*", b"v1", b"v2"))], b"")
    )
    (account,) = reader.accounts("", "")
    assert account.values == (b"v0", b"v1", b"v2")


@pytest.mark.parametrize(
    "answer",
    [([], b""), ([entry("a")], b""), ([entry("a", **ranged(2, "3", b"v0", b"v1"))], b""), ldap.SERVER_DOWN()],
    ids=["gone", "no-range", "the-same-again", "server-down"],
)
def test_a_range_that_breaks_off_is_an_error_and_not_a_shorter_list(answer: Any) -> None:
    reader = session(([entry("a", **ranged(0, "1", b"v0", b"v1"))], b""), answer)
    with pytest.raises(DirectoryError):
        list(reader.accounts("", ""))


@pytest.mark.parametrize("lacking", ["objectGUID", "objectSid"])
def test_an_account_without_its_identity_is_an_error(lacking: str) -> None:
    dn, attributes = entry("a")
    del attributes[lacking]
    with pytest.raises(DirectoryError, match="without its"):
        list(session(([(dn, attributes)], b"")).accounts("", ""))


def test_accounts_are_looked_up_by_guid_in_searches_of_bearable_size() -> None:
    names = [f"n{number}" for number in range(120)]
    pages = [([entry(name) for name in names[start : start + 50]], b"") for start in (0, 50, 100)]
    reader = session(*pages)
    assert len(reader.by_guid("", [guid(name) for name in names])) == 120


def test_the_world_of_the_tests_gives_distinct_sids() -> None:
    assert sid("a") != sid("b")


def test_the_members_of_a_large_group_are_read_to_the_end_beside_other_attributes() -> None:
    parts = [[f"CN=m{n}".encode() for n in range(start, start + 1500)] for start in (0, 1500, 3000)]
    last = [f"CN=m{n}".encode() for n in range(4500, 5000)]
    first = {"member;Range=0-1499": parts[0], "member": [], f"{KEY_LINK};range=0-0": [b"v0"], "description": [b"x"]}
    reader = session(
        ([entry("g", **first)], b""),
        ([entry("g", **{"Member;range=1500-2999": parts[1]})], b""),
        ([entry("g", **{"member;range=3000-4499": parts[2]})], b""),
        ([entry("g", **{"member;range=4500-*": last})], b""),
        ([entry("g", **ranged(1, "*", b"v1"))], b""),
    )
    [(_, whole)] = reader.search_whole("", ldap.SCOPE_SUBTREE, "", ["member", KEY_LINK])
    assert list(whole["member"]) == [*parts[0], *parts[1], *parts[2], *last]
    assert list(whole[KEY_LINK]) == [b"v0", b"v1"]
    assert whole["description"] == [b"x"]
    assert not any(";" in name for name in whole)
