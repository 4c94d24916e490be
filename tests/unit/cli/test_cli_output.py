"""What other people's names can do to the operator's terminal: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.world import account, cloud_user, key, plan

from keytrust.cli.output import safe, safe_lines, show_error
from keytrust.cli.plan_view import summary
from keytrust.errors import KeytrustError
from keytrust.sync import planfile


@given(st.text())
def test_no_text_can_steer_the_terminal_or_style_it(text: str) -> None:
    shown = safe(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    assert "\x1b" not in shown


def test_lines_stay_lines() -> None:
    assert safe_lines("one\ntwo\x1b[31m") == "one\ntwo\\u001b[31m"


def test_a_summary_is_two_lines() -> None:
    made = plan([cloud_user("alice", (key(1),))], [account("alice")])
    assert summary(made).count("\n") == 1


def test_a_plan_over_a_readable_file_is_private_and_whole(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text("old")
    file.chmod(0o644)
    made = plan([cloud_user("alice", (key(1),))], [account("alice")])
    planfile.save(made, file)
    assert file.stat().st_mode & 0o077 == 0
    assert planfile.load(file).changes == made.changes
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("remedy", "shown"),
    [
        ("keytrust history lists the runs.", "keytrust history lists the runs."),
        ("keytrust.toml needs a [cloud]", "keytrust.toml needs a [cloud]."),
        ("check the file's owner", "Check the file's owner."),
    ],
)
def test_commands_and_files_keep_their_names_at_the_head_of_a_sentence(
    remedy: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_error(KeytrustError("it failed", remedy=remedy), verbose=False)
    assert capsys.readouterr().err == f"Error: It failed.\nWhat to do: {shown}\n"
