"""The units as they are shipped, under systemd itself: hardening, watchdog and all."""

from __future__ import annotations

import signal
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.booted import Booted, booted
from tests.support.running import RunningService
from tests.support.site import toml

from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab

MakeUser = Callable[..., LabUser]
UNIT = "keytrust.service"
WATCHDOG_SECONDS = 4


@pytest.fixture
def beside(lab: Lab, tmp_path: Path) -> Iterator[RunningService]:
    """A registry; the program beside it is systemd's to start."""
    (tmp_path / "registry").mkdir()
    with RunningService.beside_a_registry(lab, tmp_path / "registry") as made:
        yield made


@pytest.fixture
def user(beside: RunningService, make_user: MakeUser) -> LabUser:
    """Somebody who has registered a key."""
    made = beside.enrol(make_user())
    beside.register(made)
    return made


def configuration(beside: RunningService, web_port: int) -> dict[str, bytes]:
    """The files of /etc/keytrust."""
    tables = tomllib.loads(beside.lab.spec.config.read_text(encoding="utf-8"))
    files = {"registry.token": (beside.folder / "token").read_bytes()}
    for name in ("keytab", "krb5_config", "ca_file"):
        there = Path(tables["directory"][name])
        files[there.name] = there.read_bytes()
        tables["directory"][name] = f"/etc/keytrust/{there.name}"
    made = {
        "directory": tables["directory"],
        "cloud": {"kind": "registry", "url": beside.url, "token_file": "/etc/keytrust/registry.token"},
        "store": {"url": "sqlite:////var/lib/keytrust/keytrust.db"},
        "web": {"port": web_port},
        "alerts": {"syslog": "unix:/dev/log"},
    }
    return files | {"keytrust.toml": toml(made).encode()}


def test_the_service_writes_tells_is_started_anew_when_killed_or_frozen_and_stops_in_order(
    beside: RunningService, user: LabUser, make_user: MakeUser, tmp_path: Path, free_tcp_port: int
) -> None:
    with booted(
        tmp_path / "systemd", UNIT, configuration(beside, free_tcp_port), f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\n"
    ) as made:
        made.eventually(lambda: made.property_of(UNIT, "ActiveState") == "active", "the service", UNIT)
        made.eventually(lambda: made.events(UNIT, "reconciled"), "the first complete read", UNIT)
        beside.await_values(user, 1)
        ready = f"http://127.0.0.1:{free_tcp_port}/readyz"
        made.eventually(lambda: httpx.get(ready).status_code == httpx.codes.OK, "readiness", UNIT)
        other = make_user()
        beside.plant(other)
        made.eventually(lambda: other.sam in made.syslog(), "an alert in syslog", UNIT)

        for number, kind in ((2, signal.SIGKILL), (3, signal.SIGSTOP)):
            pid = made.property_of(UNIT, "MainPID")
            made.command("kill", f"-{kind.value}", pid)
            await_another_process(made, pid)
            beside.register(user)
            beside.await_values(user, number)

        assert made.command("systemctl", "stop", UNIT).returncode == 0
        assert made.property_of(UNIT, "Result") == "success"
        assert made.property_of(UNIT, "ActiveState") == "inactive"
        assert "Traceback" not in made.command("journalctl", "--unit", UNIT).stdout


def await_another_process(made: Booted, than: str) -> None:
    made.eventually(lambda: made.property_of(UNIT, "MainPID") not in (than, "0"), "another process", UNIT)


def test_one_run_by_the_timers_unit(beside: RunningService, user: LabUser, tmp_path: Path, free_tcp_port: int) -> None:
    unit = "keytrust-sync.service"
    with booted(tmp_path / "systemd", unit, configuration(beside, free_tcp_port)) as made:
        beside.await_values(user, 1)
        made.eventually(lambda: made.property_of(unit, "ActiveState") == "inactive", "its end", unit)
        assert made.property_of(unit, "Result") == "success"
        for each, exposure in ((UNIT, "1.2 OK"), (unit, "1.1 OK")):  # as docs/service.md says of the first
            assert exposure in made.command("systemd-analyze", "security", "--no-pager", each).stdout
