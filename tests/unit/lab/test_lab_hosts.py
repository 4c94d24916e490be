from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keytrust.errors import LabError
from keytrust.lab import hosts
from keytrust.lab.hosts import with_entry, without_entry

_LINES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)


@given(_LINES)
def test_taking_the_line_out_gives_back_the_file(text: str) -> None:
    added = with_entry(text, lab="corp", address="127.10.0.1", host="dc1.corp.example")
    assert without_entry(added, lab="corp").removesuffix("\n") == text.removesuffix("\n")
    assert without_entry(added, lab="corp").startswith(text)


@given(_LINES)
def test_adding_twice_is_adding_once(text: str) -> None:
    once = with_entry(text, lab="corp", address="127.10.0.1", host="dc1.corp.example")
    assert with_entry(once, lab="corp", address="127.10.0.1", host="dc1.corp.example") == once


def test_the_line_of_another_lab_stays() -> None:
    text = with_entry("", lab="corp2", address="127.11.0.1", host="dc1.two.example")
    text = with_entry(text, lab="corp", address="127.10.0.1", host="dc1.corp.example")
    assert "dc1.two.example" in without_entry(text, lab="corp")
    assert "dc1.corp.example" in without_entry(text, lab="corp2")


def test_a_name_that_someone_else_gave_an_address_is_refused() -> None:
    with pytest.raises(LabError, match=r"10\.1\.1\.1"):
        with_entry("10.1.1.1 DC1.corp.example dc1\n", lab="corp", address="127.10.0.1", host="dc1.corp.example")


def test_a_comment_is_no_address() -> None:
    text = "# 10.1.1.1 dc1.corp.example\n"
    assert with_entry(text, lab="corp", address="127.10.0.1", host="dc1.corp.example").startswith(text)


def test_the_file_is_changed_in_place(tmp_path: Path) -> None:
    # In a container the hosts file is a mount: a new file renamed over it would be refused.
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost\n# caf\xe9\n")
    inode = path.stat().st_ino
    hosts.add(lab="corp", address="127.10.0.1", host="dc1.corp.example", path=path)
    assert hosts.has_entry("corp", path)
    assert path.stat().st_ino == inode
    hosts.remove(lab="corp", path=path)
    assert path.read_bytes() == b"127.0.0.1 localhost\n# caf\xe9\n"
    assert path.stat().st_ino == inode


def test_a_hosts_file_that_is_not_there_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        hosts.remove(lab="corp", path=tmp_path / "none")
    assert caught.value.remedy
