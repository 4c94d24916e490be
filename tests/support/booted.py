"""systemd itself, running this project's units as docs/service.md installs them; see ``boot_systemd.sh``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.running import PATIENCE

_ROOT = Path(__file__).parents[2]
_ACCOUNT = 64_990
"""Number of the account ``keytrust`` in there."""


@dataclass
class Booted:
    """A running systemd.

    Attributes:
        pid: Its process.
    """

    pid: int

    def command(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run something where it runs."""
        inside = ("nsenter", "--target", str(self.pid), "--mount", "--pid", "--uts", "--ipc", "--root", "--wd=/")
        return subprocess.run([*inside, *command], capture_output=True, text=True, timeout=PATIENCE, check=False)

    def property_of(self, unit: str, name: str) -> str:
        """What ``systemctl show`` says."""
        return self.command("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def events(self, unit: str, kind: str) -> list[dict[str, Any]]:
        """What the unit has logged of this kind."""
        told = []
        for line in self.command("journalctl", "--output=cat", "--unit", unit).stdout.splitlines():
            with suppress(ValueError):
                event = json.loads(line)
                told += [event] if isinstance(event, dict) and event.get("event") == kind else []
        return told

    def syslog(self) -> str:
        """What came by ``/dev/log``, of everybody."""
        return self.command("journalctl", "--output=cat", "_TRANSPORT=syslog").stdout

    def eventually(self, condition: Callable[[], object], what: str, unit: str) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                status = self.command("systemctl", "status", "--full", "--lines=40", unit).stdout
                raise AssertionError(f"{what} did not come:\n{status}")
            time.sleep(0.2)


@contextmanager
def booted(folder: Path, unit: str, configuration: dict[str, bytes], drop_in: str = "") -> Iterator[Booted]:
    """Boot systemd with our units, and end it and everything that it started.

    Args:
        folder: For what it needs, not there yet.
        unit: What it starts.
        configuration: Files of ``/etc/keytrust``.
        drop_in: For the unit, beside what is installed.
    """
    files, layer = folder / "files", folder / "layer"
    layer.mkdir(parents=True)
    _install(files, unit, configuration, drop_in)
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            [str(_ROOT / "tests/support/boot_systemd.sh"), str(folder), unit],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
    try:
        yield Booted(_first_process(process, folder))
    finally:
        process.kill()  # and with it, by --kill-child, the first process in there and so all others
        process.wait(PATIENCE)
        _remove_group(folder)


def _install(files: Path, unit: str, configuration: dict[str, bytes], drop_in: str) -> None:
    units, own, program = files / "etc/systemd/system", files / "etc/keytrust", files / "usr/local/bin/keytrust"
    for place in (units / f"{unit}.d", own, program.parent):
        place.mkdir(parents=True)
    for each in (_ROOT / "systemd").iterdir():
        shutil.copy(each, units)
    (units / f"{unit}.d" / "test.conf").write_text(drop_in, encoding="utf-8")
    # The link of docs/install.md leads to a script that names the place of this checkout, which is hidden in there.
    program.write_text(
        "#!/bin/sh\nPYTHONPATH=/usr/local/lib/keytrust/src exec /usr/local/lib/keytrust/.venv/bin/python -m keytrust"
        ' "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    for name, line in (
        ("passwd", f":{_ACCOUNT}:{_ACCOUNT}::/var/lib/keytrust:/usr/sbin/nologin"),
        ("group", f":{_ACCOUNT}:"),
    ):
        there = Path("/etc", name).read_text(encoding="utf-8")
        (files / "etc" / name).write_text(f"{there}keytrust:x{line}\n", encoding="utf-8")
    for name, content in configuration.items():
        (own / name).write_bytes(content)
        (own / name).chmod(0o640)
    for path in (own, *own.iterdir()):
        os.chown(path, 0, _ACCOUNT)


def _first_process(process: subprocess.Popen[bytes], folder: Path) -> int:
    """The child of ``unshare``, once it is systemd and answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            made = Booted(int(child))
            if (
                "systemd" in Path(f"/proc/{child}/cmdline").read_text()
                and made.command("systemctl", "show").returncode == 0
            ):
                return made.pid
        time.sleep(0.2)
    raise AssertionError("systemd does not run:\n" + (folder / "console").read_text(errors="replace")[-2000:])


def _remove_group(folder: Path) -> None:
    group = Path((folder / "cgroup").read_text().strip())
    deadline = time.monotonic() + PATIENCE
    while group.exists() and time.monotonic() < deadline:
        for path, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):  # its last process is just ending
                Path(path).rmdir()
        time.sleep(0.1)
