"""The lab comes up and goes down whatever happened to it before."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keytrust.errors import LabError
from keytrust.lab import Lab, LabSpec, LabUser, basetree, hosts, machine, mounts
from keytrust.lab.processes import living_in
from keytrust.lab.status import Phase

pytestmark = pytest.mark.lab


def _serves(spec: LabSpec) -> bool:
    try:
        for port in machine.PORTS:
            socket.create_connection((spec.address, port), timeout=5).close()
    except OSError:
        return False
    return True


def _has_user(lab: Lab, sam: str) -> bool:
    found = lab.run(["ldbsearch", "-H", "/var/lib/samba/private/sam.ldb", f"(sAMAccountName={sam})", "dn"])
    return f"CN={sam}," in found.stdout


def _wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it did not come about within 10 s")


def _traces(spec: LabSpec) -> list[object]:
    left: list[object] = [path for path in (spec.root, spec.lock) if path.exists()]
    left += living_in(spec.tree)
    left += mounts.mounted(spec.root)
    if hosts.has_entry(spec.name):
        left.append("a line in the hosts file")
    return left


@pytest.fixture
def spare() -> Iterator[Lab]:
    """A lab that is not there, for tests about building; removed afterwards."""
    process = os.getpid()
    lab = Lab(
        LabSpec(
            name=f"spare-{process}",
            realm=f"SPARE{process}.EXAMPLE",
            netbios=f"SPARE{process}",
            address=f"127.22.{process // 250 % 250}.{process % 250 + 1}",
        )
    )
    yield lab
    lab.down(print)


def _up_elsewhere(spec: LabSpec) -> subprocess.Popen[str]:
    program = (
        "import sys; from keytrust.lab import Lab, LabSpec\n"
        f"Lab(LabSpec(name={spec.name!r}, realm={spec.realm!r}, netbios={spec.netbios!r}, address={spec.address!r}))"
        ".up(lambda line: print(line, flush=True))"
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_up_gives_a_running_controller_and_its_files(breakable_lab: Lab) -> None:
    spec = breakable_lab.spec
    status = breakable_lab.status()
    assert status.running
    assert status.pid is not None
    assert status.in_hosts
    assert status.mounts == ()  # in a namespace of their own: nothing to forget
    assert status.age is not None
    assert _serves(spec)
    assert socket.gethostbyname(spec.dc_host) == spec.address
    for secret in (spec.connector_keytab, spec.administrator_password, spec.ca_key):
        assert secret.stat().st_mode & 0o777 == 0o600
        assert secret.parent.stat().st_mode & 0o777 == 0o700


def test_up_twice_is_up_once(breakable_lab: Lab) -> None:
    before = breakable_lab.status().pid
    said: list[str] = []
    breakable_lab.up(said.append)
    assert breakable_lab.status().pid == before
    assert len(said) == 1
    assert "already" in said[0]


@pytest.mark.parametrize("everything", [False, True])
def test_a_controller_that_was_killed_is_started_again_with_its_data(breakable_lab: Lab, everything: bool) -> None:
    lab = breakable_lab
    sam = f"kept{everything}"
    lab.add_users([LabUser(sam)])
    leader = lab.status().pid
    assert leader is not None
    for pid in living_in(lab.spec.tree) if everything else [leader]:
        os.kill(pid, signal.SIGKILL)
    _wait_until(lambda: leader not in living_in(lab.spec.tree))  # a signal is delivered when the kernel likes
    assert lab.status().phase is Phase.STOPPED
    lab.up(print)
    assert lab.status().running
    assert _serves(lab.spec)
    assert _has_user(lab, sam)


def test_a_controller_that_runs_and_does_not_serve_is_started_again(breakable_lab: Lab) -> None:
    lab = breakable_lab
    before = lab.status().pid
    assert before is not None
    # Its first process lives; those that serve are frozen, as by a bug.
    for pid in living_in(lab.spec.tree):
        if pid != before:
            os.kill(pid, signal.SIGSTOP)
    lab.up(print)
    assert lab.status().pid != before
    assert _serves(lab.spec)


def test_a_frozen_controller_is_seen_and_thawed(breakable_lab: Lab) -> None:
    breakable_lab.pause_dc()
    assert breakable_lab.status().phase is Phase.PAUSED
    breakable_lab.up(print)
    assert breakable_lab.status().running


def test_stop_and_start(breakable_lab: Lab) -> None:
    breakable_lab.stop_dc()
    assert breakable_lab.status().phase is Phase.STOPPED
    assert not _serves(breakable_lab.spec)
    breakable_lab.stop_dc()
    with pytest.raises(LabError, match="does not run"):
        breakable_lab.pause_dc()
    breakable_lab.start_dc()
    assert _serves(breakable_lab.spec)


def test_an_address_that_is_taken_is_refused_by_its_port(breakable_lab: Lab) -> None:
    breakable_lab.stop_dc()
    with socket.create_server((breakable_lab.spec.address, 389)), pytest.raises(LabError, match="port 389"):
        breakable_lab.up(print)
    breakable_lab.up(print)
    assert breakable_lab.status().running


def test_a_process_id_of_someone_else_is_never_taken_for_ours(breakable_lab: Lab) -> None:
    breakable_lab.stop_dc()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            breakable_lab.spec.pid_file.write_text(f"{stranger.pid}\n")
            assert breakable_lab.status().phase is Phase.STOPPED
            breakable_lab.stop_dc()
            breakable_lab.up(print)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_down_leaves_no_trace_and_does_not_reach_into_what_is_mounted(spare: Lab, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    spare.up(print)
    inside = spare.spec.tree / "mnt"
    subprocess.run(["mount", "--bind", tmp_path, inside], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", spare.spec.tree / "media"], check=True)
    with (spare.spec.tree / "media/open").open("w"):  # busy, even
        assert set(spare.status().mounts) == {inside, spare.spec.tree / "media"}
        spare.down(print)
    assert _traces(spare.spec) == []
    assert (tmp_path / "precious").exists()
    spare.down(print)  # on nothing
    assert _traces(spare.spec) == []


@pytest.mark.parametrize("moment", ["unpacking", "making the domain", "making Key Admins", "starting"])
def test_a_build_that_was_killed_is_cleared_by_down_or_done_again_by_up(spare: Lab, moment: str) -> None:
    with _up_elsewhere(spare.spec) as builder:
        assert builder.stdout is not None
        for line in builder.stdout:
            if line.startswith(moment):
                break
        else:
            pytest.fail(f"the build never reported {moment!r}")
        builder.kill()
    assert not spare.status().running or moment == "starting"
    if moment in ("making the domain", "starting"):
        spare.up(print)
        assert spare.status().running
        assert _serves(spare.spec)
    spare.down(print)
    assert _traces(spare.spec) == []


def test_two_at_once_build_one_lab(spare: Lab) -> None:
    with _up_elsewhere(spare.spec) as one, _up_elsewhere(spare.spec) as two:
        said = [process.communicate(timeout=300)[0] for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0)
    assert sum("making the domain" in each for each in said) == 1
    assert spare.status().running


def test_the_same_name_for_another_domain_is_refused(breakable_lab: Lab) -> None:
    spec = breakable_lab.spec
    other = Lab(LabSpec(name=spec.name, realm="OTHER.EXAMPLE", netbios="OTHER", address=spec.address))
    with pytest.raises(LabError, match=spec.realm):
        other.up(print)
    assert breakable_lab.status().running


def test_a_directory_that_is_no_lab_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter").write_text("dear")
    lab = Lab(LabSpec(name="home", realm="HOME.EXAMPLE", netbios="HOME", address="127.23.0.1", root=tmp_path / "home"))
    for change in (lab.up, lab.down):
        with pytest.raises(LabError, match="not a lab"):
            change(print)
    assert (tmp_path / "home/letter").read_text() == "dear"


def test_without_a_lab_there_is_nothing_to_run_in(tmp_path: Path) -> None:
    lab = Lab(LabSpec(root=tmp_path / "none"))
    with pytest.raises(LabError, match="not there") as caught:
        lab.run(["true"])
    assert "lab up" in caught.value.remedy


def test_a_damaged_cache_is_thrown_away(tmp_path: Path) -> None:
    kept = basetree.tarball(tmp_path / "cache")
    kept.parent.mkdir()
    kept.write_bytes(b"not a tar file" * 1000)
    with pytest.raises(LabError, match="unpacking"):
        basetree.unpack(tmp_path / "cache", tmp_path / "tree", print)
    assert not kept.exists()


def test_purging_takes_only_our_own_files(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "build/half").mkdir(parents=True)
    basetree.tarball(cache).touch()
    (cache / "other").touch()
    basetree.purge(cache, print)
    assert list(cache.iterdir()) == [cache / "other"]
    (cache / "other").unlink()
    basetree.purge(cache, print)
    assert not cache.exists()
    basetree.purge(cache, print)
