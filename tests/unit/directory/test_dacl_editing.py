"""Entries are added to and removed from a DACL, and everything else in it stays byte for byte."""

from __future__ import annotations

import contextlib
import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.security_descriptors import ADMINS, DOMAIN, ace, descriptor, sid

from keytrust.directory.security import SecurityDescriptor, SecurityDescriptorError
from keytrust.directory.security.ace import CONTAINER_INHERIT, INHERIT_ONLY, ace_text, allow_property, sid_bytes
from keytrust.directory.security.dacl import Dacl

LINK = UUID("5b47d60f-6090-40b2-9f37-2a4de88f3063")
USER = UUID("bf967aba-0de6-11d0-a285-00aa003049e2")
OURS = allow_property(f"{DOMAIN}-1104", LINK, flags=CONTAINER_INHERIT | INHERIT_ONLY, on=USER)
DENIED = ace(ADMINS, 0x20, allow=False)
ALLOWED = ace(ADMINS, 0x20)
INHERITED = ace(ADMINS, 0x10, flags=0x12)
UNKNOWN = struct.pack("<BBH", 0x42, 0x0A, 12) + b"\x01\x02\x03\x04\x05\x06\x07\x08"


def test_an_entry_goes_behind_denials_and_other_grants_and_before_what_is_inherited() -> None:
    dacl = Dacl.parse(descriptor(DENIED, ALLOWED, INHERITED)).adding([OURS])
    assert dacl.aces == (DENIED, ALLOWED, OURS, INHERITED)
    assert dacl.canonical


def test_an_entry_that_is_there_is_not_doubled() -> None:
    dacl = Dacl.parse(descriptor(OURS, INHERITED))
    assert dacl.adding([OURS]).aces == dacl.aces


def test_an_inherited_twin_is_neither_taken_for_it_nor_removed() -> None:
    twin = bytes([OURS[0], OURS[1] | 0x10]) + OURS[2:]
    dacl = Dacl.parse(descriptor(twin))
    assert dacl.adding([OURS]).aces == (OURS, twin)
    assert dacl.adding([OURS]).removing([OURS, twin]).aces == (twin,)


def test_removing_what_was_added_leaves_the_bytes_that_were_there() -> None:
    before = Dacl.parse(descriptor(DENIED, UNKNOWN, ALLOWED, INHERITED))
    assert before.adding([OURS]).removing([OURS]).aces == before.aces


def test_an_order_that_is_not_canonical_is_kept() -> None:
    dacl = Dacl.parse(descriptor(ALLOWED, DENIED, INHERITED))
    assert not dacl.canonical
    assert [each for each in dacl.adding([OURS]).aces if each != OURS] == [ALLOWED, DENIED, INHERITED]


def test_what_is_written_is_a_descriptor_with_the_dacl_alone() -> None:
    protected = bytearray(descriptor(ALLOWED))
    protected[3] |= 0x10
    written = Dacl.parse(bytes(protected)).adding([OURS]).descriptor()
    revision, _, control, owner, group, sacl, start = struct.unpack_from("<BBHIIII", written)
    assert (revision, owner, group, sacl, start) == (1, 0, 0, 0, 20)
    assert control & 0x9004 == 0x9004, "self-relative, DACL present, still protected"
    assert written[20] == 4, "a list with entries for objects has revision 4"
    assert SecurityDescriptor.parse(written).dacl == SecurityDescriptor.parse(descriptor(ALLOWED, OURS)).dacl


def test_a_descriptor_without_a_dacl_is_refused_since_an_entry_would_shut_everybody_out() -> None:
    with pytest.raises(SecurityDescriptorError, match="everybody may do everything"):
        Dacl.parse(descriptor(dacl=False))


def test_a_thousand_entries_are_handled_and_a_full_list_is_refused_unchanged() -> None:
    many = [ace(f"{DOMAIN}-{number}", 0x10) for number in range(1000, 2000)]
    dacl = Dacl.parse(descriptor(*many, INHERITED))
    assert dacl.adding([OURS]).aces == (*many, OURS, INHERITED)
    full = [ace(f"{DOMAIN}-{number}", 0x10) for number in range(1000, 1000 + 65500 // 36)]
    with pytest.raises(SecurityDescriptorError, match="are full"):
        Dacl.parse(descriptor(*full)).adding([OURS])


@given(st.lists(st.sampled_from([DENIED, ALLOWED, INHERITED, UNKNOWN, OURS]), max_size=12), st.randoms())
def test_whatever_the_list_others_entries_keep_bytes_and_order(entries: list[bytes], random: object) -> None:
    dacl = Dacl.parse(descriptor(*entries))
    others = [each for each in entries if each != OURS]
    for changed in (dacl.adding([OURS]), dacl.removing([OURS]), dacl.adding([OURS]).removing([OURS])):
        assert [each for each in changed.aces if each != OURS] == others
        assert Dacl.parse(changed.descriptor()).aces == changed.aces


@given(st.binary(max_size=200) | st.builds(lambda cut: descriptor(DENIED, OURS)[:cut], st.integers(0, 140)))
def test_damaged_descriptors_are_one_kind_of_error(data: bytes) -> None:
    with contextlib.suppress(SecurityDescriptorError):
        Dacl.parse(data)


def test_entries_are_shown_as_administrators_write_them() -> None:
    assert ace_text(OURS) == f"(OA;CIIO;RPWP;{LINK};{USER};{DOMAIN}-1104)"
    assert ace_text(DENIED) == f"(D;;WP;;;{ADMINS})"
    assert ace_text(UNKNOWN) == f"(kind 0x42: {UNKNOWN.hex()})"
    assert sid_bytes(ADMINS) == sid(ADMINS)


@given(st.binary(min_size=4, max_size=80))
def test_showing_an_entry_never_fails(data: bytes) -> None:
    assert ace_text(data)
