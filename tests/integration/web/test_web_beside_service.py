"""What a running service shows of itself: health, metrics, the status page and ``keytrust status``."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.manager import listening_manager
from tests.support.running import RunningService

from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What listens in place of systemd."""
    with listening_manager(tmp_path, monkeypatch, watchdog_microseconds=2_000_000) as listening:
        yield listening


@pytest.fixture
def syslog() -> Iterator[socket.socket]:
    """What receives alerts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(60)
        yield listening


@pytest.fixture
def shown(lab: Lab, tmp_path: Path, manager: socket.socket, syslog: socket.socket) -> Iterator[RunningService]:
    """A service whose web pages are served, that sends alerts and that talks to systemd."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with RunningService.beside_a_registry(lab, tmp_path) as running:
        running.extra["web"] = {"port": port}
        running.extra["alerts"] = {"syslog": f"udp:127.0.0.1:{syslog.getsockname()[1]}"}
        running.start()
        yield running


def get(service: RunningService, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{service.extra['web']['port']}{path}", timeout=30)


def metric(text: str, name: str, **labels: str) -> float:
    wanted = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    found = re.findall(rf"^{re.escape(name)}\{{{re.escape(wanted)}\}} (\S+)$", text, re.MULTILINE)
    return float(found[0]) if found else 0.0


def test_it_is_ready_counts_what_it_writes_and_shows_what_a_person_should_see(
    shown: RunningService, make_user: MakeUser, manager: socket.socket, syslog: socket.socket
) -> None:
    assert manager.recv(1000).startswith(b"READY=1")
    assert manager.recv(1000).startswith(b"WATCHDOG=1")
    domain = shown.lab.spec.domain
    user, admin = shown.enrol(make_user()), shown.enrol(make_user(admin_count=True))
    key = shown.register(user)
    shown.await_sign_in(user, key)
    shown.register(admin)
    shown.await_event("conflict", account=admin.sam)
    alert = syslog.recv(4096).decode()
    assert " conflict [keytrust@32473 " in alert
    assert f'account="{admin.sam}"' in alert

    assert get(shown, "/healthz").json() == {"status": "ok"}
    shown.eventually(lambda: get(shown, "/readyz").status_code == httpx.codes.OK, "readiness")

    def counted() -> bool:
        text = get(shown, "/metrics").text
        return (
            metric(text, "keytrust_changes_total", domain=domain, action="add") == 1
            and metric(text, "keytrust_registration_to_confirmed_seconds_count", domain=domain) == 1
            and metric(text, "keytrust_lease_held", domain=domain) == 1
            and metric(text, "keytrust_findings", domain=domain, code="privileged") == 1
        )

    shown.eventually(counted, "the counters")
    text = get(shown, "/metrics").text
    assert user.sam not in text
    assert metric(text, "keytrust_writer_alive", domain=domain) == 1

    page = get(shown, "/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert admin.sam in page.text
    assert "in step" in page.text

    done = shown.run("status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = json.loads(done.stdout)
    assert told["finding_count"] == {"privileged": 1}
    assert "keytrust run" in told["holder"]
    assert told["state"]["latency"]["count"] == 1
    text = shown.run("status").stdout
    assert domain in text
    assert "median" in text


def test_when_it_has_ended_status_says_so_on_any_instance(shown: RunningService) -> None:
    assert shown.stop() == 0
    done = shown.run("status")
    assert done.returncode == 3
    assert "not running" in done.stdout


def test_a_port_that_is_taken_is_an_error_in_one_sentence(shown: RunningService, tmp_path: Path) -> None:
    second = shown.run("run")
    assert second.returncode == 1
    assert "cannot listen at 127.0.0.1" in second.stderr
