"""What other people's names can do to the operator's terminal: nothing."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.text import Text
from tests.support.world import account, cloud_user, key, plan

from keytrust.cli.output import safe, say, show_error
from keytrust.cli.plan_view import summary
from keytrust.errors import KeytrustError
from keytrust.sync import planfile
from keytrust.visible import visible

UNSEEN = "\x00\x07\x1b\x7f\x9b\xad\u061c\u200b\u200f\u202e\u2028\u2066\u3164\ufeff\ud800\U000e0041"


@given(st.text())
@example(UNSEEN)
def test_no_text_can_steer_the_terminal(text: str) -> None:
    shown = safe(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown)
    assert not set(shown) & set(UNSEEN)


def test_a_pile_of_marks_covers_no_other_line() -> None:
    assert visible("e\u0301" + "Vie\u0323\u0302t") == "e\u0301" + "Vie\u0323\u0302t"
    assert visible("w" + "\u0301" * 6) == "w" + "\u0301" * 4 + r"\u0301*2"


@given(st.text() | st.text("[]/\\bold=:link red#@", max_size=12), st.sampled_from(["", "[/] end", " end", "\\[y/N]"]))
@example(":warning: [red]\\[/]\\\\", "")
def test_every_text_is_shown_as_it_is(text: str, after: str) -> None:
    shown = Text.from_markup(f"[bold]{safe(text)}{after}", emoji=False).plain
    assert shown == visible(text) + Text.from_markup(f"[bold]{after}", emoji=False).plain


def test_a_name_that_spells_an_emoji_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(KeytrustError(":warning: [link=x]", remedy=":warning:"), verbose=False)
    assert capsys.readouterr().err == "Error: :warning: [link=x].\nWhat to do: :warning:.\n"


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\ntwo\x1b[31m")
    assert capsys.readouterr().err == "one\ntwo\\u001b[31m\n"


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
