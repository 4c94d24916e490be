"""`keytrust init`: a configuration that works, from few answers, and never over one that is there."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.site import Site, keytrust

from keytrust import config
from keytrust.cloud.settings import CloudKind
from keytrust.deploy.checks import CHECKS
from keytrust.deploy.first_config import Answers, text_of
from keytrust.lab import Lab


@pytest.fixture
def answers(lab: Lab, tmp_path: Path) -> list[str]:
    site = Site(lab, tmp_path)
    site.config.unlink()
    settings = config.load(lab.spec.config).need_directory()
    return [
        *("--output", str(site.config), "--server", lab.spec.dc_host, "--keytab", str(settings.keytab)),
        *("--krb5-config", str(settings.krb5_config), "--ca-file", str(lab.spec.ca_cert), "--path", str(site.cloud)),
    ]


@pytest.mark.lab
def test_a_configuration_is_written_that_works_and_the_first_thing_to_put_right_is_told(
    answers: list[str], lab: Lab, tmp_path: Path
) -> None:
    done = keytrust("init", *answers)
    path = tmp_path / "keytrust.toml"
    assert (done.returncode, path.stat().st_mode & 0o777) == (2, 0o600), done.stderr
    first = re.search(r"First, put this right: (\S+)", done.stdout)
    assert first is not None, done.stdout
    assert first[1] in {check.id for check in CHECKS}, done.stdout  # a loaded machine may fail another before the SCP's
    written = config.load(path)
    assert written.need_directory().domain == lab.spec.domain
    assert written.need_directory().principal == f"svc-keytrust@{lab.spec.realm}"
    only = ("--only", "domain-level", "--only", "device-registration")
    seen = json.loads(keytrust("doctor", "--json", *only, env={config.VARIABLE: str(path)}).stdout)
    assert [check["verdict"] for check in seen["checks"]] == ["pass", "fail"]


@pytest.mark.lab
def test_one_that_is_there_is_left_alone_unless_told_otherwise(answers: list[str], tmp_path: Path) -> None:
    path = tmp_path / "keytrust.toml"
    path.write_text("# mine\n", encoding="utf-8")
    done = keytrust("init", *answers)
    assert (done.returncode, path.read_text(encoding="utf-8")) == (1, "# mine\n")
    assert "--force" in done.stderr
    assert keytrust("init", "--no-doctor", "--force", *answers).returncode == 0
    assert "svc-keytrust" in path.read_text(encoding="utf-8")


@pytest.mark.lab
def test_an_account_that_cannot_sign_in_is_the_first_thing_to_put_right(answers: list[str]) -> None:
    done = keytrust("init", *answers, "--principal", "nobody-here")
    assert done.returncode == 3
    assert "the directory could not be read" in " ".join(done.stdout.split())


@pytest.mark.lab
def test_on_a_terminal_it_asks_for_what_is_not_given(answers: list[str], tmp_path: Path) -> None:
    without_path = answers[:-2]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "keytrust", "init", "--no-doctor", *without_path],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
    )
    os.close(theirs)
    try:
        said = ""
        for asked, reply in (
            ("Connector account", ""),
            ("graph, registry or file", "file"),
            ("Exported file", str(tmp_path / "cloud.json")),
        ):
            said = _until(ours, asked)
            os.write(ours, f"{reply}\n".encode())
        assert process.wait(60) == 0, said
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert config.load(tmp_path / "keytrust.toml").need_cloud().kind is CloudKind.FILE


def test_without_a_terminal_what_is_not_known_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "keytrust.toml"
    keytab = tmp_path / "a.keytab"
    keytab.touch()
    done = keytrust("init", "-o", str(path), "--server", "dc1.corp.example", "--keytab", str(keytab))
    assert (done.returncode, path.exists()) == (1, False)
    assert "--kind" in done.stderr
    done = keytrust("init", "-o", str(path), "--server", "dc1.corp.example", "--keytab", str(tmp_path / "none"))
    assert (done.returncode, path.exists()) == (1, False)
    assert "exportkeytab" in done.stderr


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "Zoë ☃", "new\nline", "del\x7f", "\x01", "a'b#c"])
def test_odd_names_survive_the_file(name: str) -> None:
    odd = Path("/") / name
    text = text_of(Answers("a.b", ("dc.a.b",), f"{name}@A.B", odd, None, None, odd, CloudKind.FILE, {"path": str(odd)}))
    read = config.parse(text, "it")
    assert read.need_directory().keytab == read.need_cloud().path == read.signin.kdc_ca_file == odd
    assert read.need_directory().principal == f"{name}@A.B"


def _until(terminal: int, text: str) -> str:
    said, deadline = "", time.monotonic() + 60
    while text not in said:
        assert time.monotonic() < deadline, said
        said += os.read(terminal, 4096).decode(errors="replace")
    return said
