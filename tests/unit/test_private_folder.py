"""Folders for tickets and keys: gone with the process, also with one that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keytrust.private_folder import is_private, private_folder, remove_abandoned

HOLDS = """
import sys
from pathlib import Path
from keytrust.private_folder import private_folder
with private_folder("signin") as folder:
    (folder / "user.key").write_text("secret")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@contextmanager
def another_process() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """One that has such a folder, and its path."""
    command = [sys.executable, "-c", HOLDS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_it_is_for_this_user_alone_and_gone_afterwards(place: Path) -> None:
    with private_folder("krb5") as folder:
        assert folder.parent == place
        assert folder.name.startswith("keytrust-krb5-")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert is_private(folder)
        (folder / "ccache").write_text("x")
    assert list(place.iterdir()) == []


def test_it_is_gone_after_an_error_too_and_the_error_is_told(place: Path) -> None:
    with pytest.raises(ValueError, match="mine"), private_folder("krb5"):
        raise ValueError("mine")
    assert list(place.iterdir()) == []


def test_somebody_may_have_removed_it(place: Path) -> None:
    with private_folder("krb5") as folder:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    assert list(place.iterdir()) == []


def test_the_next_process_removes_what_a_killed_one_left(place: Path) -> None:
    with another_process() as (killed, left):
        killed.kill()
        killed.wait()
        assert (left / "user.key").exists()
        with another_process() as (_, other):
            assert not left.exists()
            assert (other / "user.key").exists()


def test_the_folder_of_a_process_that_lives_stays(place: Path) -> None:
    with another_process() as (_, other), private_folder("krb5") as ours:
        assert remove_abandoned(place) == 0
        assert (other / "user.key").exists()
        assert ours.exists()


def test_nothing_else_is_touched(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / ".lock").touch()
    (elsewhere / "precious").touch()
    for name in ("keytrust-without-lock", "unrelated"):
        (place / name).mkdir()
    (place / "unrelated" / ".lock").touch()
    (place / "keytrust-file").touch()
    (place / "keytrust-link").symlink_to(elsewhere)
    (place / "keytrust-linked-lock").mkdir()
    (place / "keytrust-linked-lock" / ".lock").symlink_to(elsewhere / ".lock")
    assert remove_abandoned(place) == 0
    assert (elsewhere / "precious").exists()
    assert len(list(place.iterdir())) == 5


def test_another_users_folder_is_not_touched(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "keytrust-krb5-x").mkdir()
    (place / "keytrust-krb5-x" / ".lock").touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert remove_abandoned(place) == 0
    monkeypatch.undo()
    assert remove_abandoned(place) == 1


def test_without_locks_it_works_all_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", refused)
    with private_folder("krb5") as folder:
        assert folder.is_dir()
        assert remove_abandoned(place) == 0
    assert list(place.iterdir()) == []
