from __future__ import annotations

import base64
from io import StringIO
from uuid import UUID

import ldap.dn
import ldif as independent  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keytrust.errors import LabError
from keytrust.lab import LabUser, ldif
from keytrust.lab.users import adding, deleting

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)


def _read(text: str) -> list[tuple[str, dict[str, list[bytes]]]]:
    """Parse with python-ldap's LDIF reader, which nobody here wrote."""
    reader = independent.LDIFRecordList(StringIO(text))
    reader.parse()
    return list(reader.all_records)


@given(st.dictionaries(st.sampled_from(["cn", "description", "info"]), _TEXT | st.binary(min_size=1), min_size=1))
def test_no_value_can_be_taken_for_a_directive(attributes: dict[str, str | bytes]) -> None:
    [(dn, read)] = _read(ldif.add("CN=x,DC=corp,DC=example", attributes).replace("changetype: add\n", ""))
    assert dn == "CN=x,DC=corp,DC=example"
    assert read == {name: [value.encode() if isinstance(value, str) else value] for name, value in attributes.items()}


@given(_TEXT)
def test_an_escaped_name_is_one_value_of_a_distinguished_name(value: str) -> None:
    assert ldap.dn.str2dn(f"CN={ldif.escape(value)},DC=corp")[0][0][1] == value


@pytest.mark.parametrize("sam", ["", "a" * 21, "a,b", "a@b", "a\nb", " a", "a ", "a.", 'a"b', "a\0"])
def test_impossible_account_names_are_refused(sam: str) -> None:
    with pytest.raises(LabError):
        LabUser(sam)


def test_what_is_asked_for_is_what_is_written() -> None:
    guid = UUID("12345678-1234-5678-1234-567812345678")
    users = [
        LabUser("alice", password="pass wörd"),
        LabUser("bob", upn="b@x.example", disabled=True, inet_org_person=True, admin_count=True, consistency_guid=guid),
    ]
    text = adding(users, base_dn="DC=corp,DC=example", domain="corp.example").replace("changetype: add\n", "")
    (alice_dn, alice), (bob_dn, bob) = _read(text)
    assert alice_dn == "CN=alice,OU=People,DC=corp,DC=example"
    assert alice["userPrincipalName"] == [b"alice@corp.example"]
    assert alice["userAccountControl"] == [b"512"]
    assert alice["clearTextPassword"] == ["pass wörd".encode("utf-16-le")]
    assert "adminCount" not in alice
    assert bob_dn == "CN=bob,OU=People,DC=corp,DC=example"
    assert bob["objectClass"] == [b"inetOrgPerson"]
    assert bob["userPrincipalName"] == [b"b@x.example"]
    assert bob["userAccountControl"] == [b"514"]
    assert bob["adminCount"] == [b"1"]
    assert bob["mS-DS-ConsistencyGuid"] == [guid.bytes_le]


def test_users_without_a_password_have_none_to_change() -> None:
    text = adding([LabUser("a")], base_dn="DC=x", domain="x").replace("changetype: add\n", "")
    [(_, attributes)] = _read(text)
    assert "clearTextPassword" not in attributes
    assert attributes["pwdLastSet"] == [b"-1"]


def test_a_password_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(LabUser("a", password="hunter2"))


def test_deleting_names_the_same_entry() -> None:
    text = deleting([LabUser("a")], base_dn="DC=x")
    assert base64.b64encode(b"CN=a,OU=People,DC=x").decode() in text
    assert "changetype: delete" in text
