from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from keytrust.errors import LabError
from keytrust.lab import Lab, LabSpec, child, lock, machine


def test_someone_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    lab = Lab(LabSpec(root=tmp_path / "lab"))
    for change in (lab.up, lab.down):
        with pytest.raises(LabError, match="root"):
            change(lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="mmdebstrap") as caught:
        machine.require(LabSpec(root=tmp_path / "lab"), tmp_path / "cache")
    assert "script/setup" in caught.value.remedy


def test_a_full_disk_is_noticed_before_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/true")
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage(free=5_000_000))
    with pytest.raises(LabError, match="5 MB are free"):
        machine.require(LabSpec(root=tmp_path / "lab"), tmp_path / "cache")


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_program_that_fails_leaves_its_last_words() -> None:
    with pytest.raises(LabError, match="status 3 while trying") as caught:
        child.run(["sh", "-c", "echo why >&2; exit 3"], doing="trying")
    assert caught.value.detail == "why"


def test_a_full_disk_is_called_that() -> None:
    with pytest.raises(LabError, match="disk is full"):
        child.run(["sh", "-c", "echo 'write error: No space left on device' >&2; exit 2"], doing="trying")


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(LabError, match="did not finish"):
        child.run(["sleep", "60"], doing="trying", timeout=0.2)


def test_a_program_dies_with_whoever_started_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = (
        "import sys; from keytrust.lab import child; "
        f"child.run(['sh', '-c', 'echo $$ > {pid_file}; exec sleep 60'], doing='x')"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as starter:
        while not (pid_file.exists() and pid_file.read_text().strip()):
            assert starter.poll() is None
        starter.kill()
    pid = int(pid_file.read_text())
    _wait_until(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def _wait_until(holds: object) -> None:
    assert callable(holds)
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it did not come about within 10 s")


def test_the_lock_lets_one_in_at_a_time_although_its_file_comes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "lab.lock"
    inside = 0
    most = 0
    rounds = 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most, rounds
        for number in range(50):
            with lock.exclusive(path, lambda: None, remove=number % 2 == 0):
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1
                    rounds += 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, rounds) == (1, 300)
