"""Who may write msDS-KeyCredentialLink, read from the bytes of a security descriptor."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impacket.ldap import ldaptypes
from tests.support.security_descriptors import ADMINS, ace, descriptor

from keytrust.directory.security import Right, SecurityDescriptor, SecurityDescriptorError, Writer, key_link_writers
from keytrust.directory.security.descriptor import INHERIT_ONLY
from keytrust.directory.security.writers import EVERYONE, KEY_LINK_GUID, OWNER_RIGHTS, VALIDATED_WRITE_COMPUTER

HELPDESK = "S-1-5-21-1-2-3-1105"
OTHER_ATTRIBUTE = UUID("bf967a0a-0de6-11d0-a285-00aa003049e2")
PROPERTY_SET = UUID("77b5b886-944a-11d1-aebd-0000f80367c1")
OWNER = Writer(ADMINS, Right.OWNER)


def writers(*aces: bytes, **fields: object) -> set[Writer]:
    return set(key_link_writers(SecurityDescriptor.parse(descriptor(*aces, **fields)))) - {OWNER}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entry", "right"),
    [
        (ace(HELPDESK, 0x20, object_type=KEY_LINK_GUID), Right.WRITE_ATTRIBUTE),
        (ace(HELPDESK, 0x20), Right.WRITE_ALL),
        (ace(HELPDESK, 0x40000000), Right.WRITE_ALL),
        (ace(HELPDESK, 0xF01FF), Right.FULL_CONTROL),
        (ace(HELPDESK, 0x10000000), Right.FULL_CONTROL),
        (ace(HELPDESK, 0x40000), Right.WRITE_DACL),
        (ace(HELPDESK, 0x80000), Right.WRITE_OWNER),
        (ace(HELPDESK, 0x8, object_type=VALIDATED_WRITE_COMPUTER), Right.VALIDATED),
        (ace(HELPDESK, 0x8), Right.VALIDATED),
    ],
)
def test_every_way_to_write_is_seen(entry: bytes, right: Right) -> None:
    assert writers(entry) == {Writer(HELPDESK, right)}


@pytest.mark.parametrize(
    "entry",
    [
        ace(HELPDESK, 0x20, object_type=OTHER_ATTRIBUTE),
        ace(HELPDESK, 0x20, object_type=KEY_LINK_GUID, flags=INHERIT_ONLY),
        ace(HELPDESK, 0x10, object_type=KEY_LINK_GUID),
        ace(HELPDESK, 0x20094),
        ace(HELPDESK, 0x8, object_type=OTHER_ATTRIBUTE),
    ],
    ids=["another attribute", "for children only", "reading", "generic read", "another validated write"],
)
def test_what_does_not_let_anybody_write_is_not(entry: bytes) -> None:
    assert writers(entry) == set()


def test_the_property_set_counts_where_a_schema_puts_the_attribute_in_one() -> None:
    parsed = SecurityDescriptor.parse(descriptor(ace(HELPDESK, 0x20, object_type=PROPERTY_SET)))
    assert key_link_writers(parsed) == {OWNER}
    assert key_link_writers(parsed, PROPERTY_SET) == {OWNER, Writer(HELPDESK, Right.WRITE_SET)}


def test_a_denial_before_the_grant_takes_it_away_and_one_after_does_not() -> None:
    grant = ace(HELPDESK, 0x20, object_type=KEY_LINK_GUID)
    assert writers(ace(HELPDESK, 0x20, allow=False), grant) == set()
    assert writers(grant, ace(HELPDESK, 0x20, allow=False)) == {Writer(HELPDESK, Right.WRITE_ATTRIBUTE)}
    assert writers(ace(EVERYONE, 0x20, allow=False, object_type=OTHER_ATTRIBUTE), grant) != set()


def test_the_owner_may_change_permissions_unless_owner_rights_say_otherwise() -> None:
    assert Writer(HELPDESK, Right.OWNER) in writers(owner=HELPDESK)
    assert writers(ace(OWNER_RIGHTS, 0x20094), owner=HELPDESK) == set()


def test_no_dacl_at_all_gives_everybody_everything() -> None:
    assert writers(dacl=False) == {Writer(EVERYONE, Right.FULL_CONTROL)}


def test_we_read_what_impacket_reads() -> None:
    data = descriptor(ace(HELPDESK, 0x20, object_type=KEY_LINK_GUID), ace(ADMINS, 0xF01FF), ace(EVERYONE, 0x20094))
    theirs = ldaptypes.SR_SECURITY_DESCRIPTOR(data=data)
    ours = SecurityDescriptor.parse(data)
    assert ours.dacl is not None
    assert theirs["OwnerSid"].formatCanonical() == ours.owner
    assert [(a["Ace"]["Mask"]["Mask"], a["Ace"]["Sid"].formatCanonical()) for a in theirs["Dacl"].aces] == [
        (entry.mask, entry.sid) for entry in ours.dacl
    ]


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        key_link_writers(SecurityDescriptor.parse(data))
    except SecurityDescriptorError as error:
        assert error.message


@given(st.data())
def test_a_damaged_descriptor_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(descriptor(ace(HELPDESK, 0x20, object_type=KEY_LINK_GUID), ace(ADMINS, 0xF01FF)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        key_link_writers(SecurityDescriptor.parse(cut))
    except SecurityDescriptorError as error:
        assert error.message
