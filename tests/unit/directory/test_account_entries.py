"""What an LDAP entry says of an account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keytrust.directory.account import from_entry, guid_text, sid_text
from keytrust.errors import DirectoryError

SID = bytes.fromhex("010500000000000515000000010000000200000003000000f4010000")
GUID = bytes(range(16))


def entry(**attributes: bytes) -> dict[str, list[bytes]]:
    return {"objectGUID": [GUID], "objectSid": [SID]} | {name: [value] for name, value in attributes.items()}


def test_sids_and_guids_are_spelled_as_windows_spells_them() -> None:
    assert sid_text(SID) == "S-1-5-21-1-2-3-500"
    assert guid_text(GUID) == "03020100-0504-0706-0809-0a0b0c0d0e0f"


@given(st.binary(max_size=80))
def test_any_bytes_are_a_sid_or_one_error(raw: bytes) -> None:
    try:
        assert sid_text(raw).startswith("S-")
    except DirectoryError as error:
        assert "malformed SID" in str(error)


@pytest.mark.parametrize(
    ("control", "enabled", "computer"),
    [
        (b"512", True, False),
        (b"514", False, False),
        (b"4096", True, True),
        (b"532480", True, True),
        (b"x", None, False),
    ],
)
def test_flags(control: bytes, enabled: bool | None, computer: bool) -> None:
    account = from_entry("CN=a", entry(userAccountControl=control))
    assert (account.enabled, account.computer) == (enabled, computer)


def test_an_account_whose_flags_may_not_be_read_is_not_taken_for_an_enabled_one() -> None:
    assert from_entry("CN=a", entry()).enabled is None


def test_the_consistency_guid_is_the_source_anchor_when_set() -> None:
    assert from_entry("CN=a", entry()).source_anchor == GUID
    assert from_entry("CN=a", entry(**{"mS-DS-ConsistencyGuid": b"c" * 16})).source_anchor == b"c" * 16


def test_admin_count_marks_privileged_accounts() -> None:
    assert from_entry("CN=a", entry(adminCount=b"1")).protected
    assert not from_entry("CN=a", entry(adminCount=b"0")).protected
