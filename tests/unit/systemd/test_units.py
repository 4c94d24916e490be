"""The packaged units are what systemd understands, and as closed as the documentation says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[3] / "systemd"
PROGRAM = "/usr/local/bin/keytrust"
MOST_EXPOSED = 12
"""Tenths of systemd's exposure level that docs/service.md states, and one more."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program that exists: ``verify`` looks for it."""
    for unit in UNITS.iterdir():
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace(PROGRAM, sys.executable), encoding="utf-8")
    return tmp_path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_systemd_finds_nothing_to_complain_about(units: Path) -> None:
    done = analyze("verify", "--man=no", *(str(unit) for unit in sorted(units.iterdir())))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["keytrust.service", "keytrust-sync.service"])
def test_services_are_closed(units: Path, name: str) -> None:
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(units / name))
    assert done.returncode == 0, done.stdout


def test_the_service_is_watched_and_the_program_is_where_the_installation_puts_it() -> None:
    text = (UNITS / "keytrust.service").read_text(encoding="utf-8")
    for line in ("Type=notify", "WatchdogSec=60", "Restart=always", f"ExecStart={PROGRAM} run", "User=keytrust"):
        assert f"\n{line}\n" in text
    install = (UNITS.parent / "docs" / "install.md").read_text(encoding="utf-8")
    assert PROGRAM in install
