"""Whole dumps: one process or several find the same, and hostile ones end in findings or one clear error."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path

import pytest
from audit_world import PLANTED, codes, planted
from tests.support.security_descriptors import ace, descriptor
from tests.support.world import NOW, dn, guid, material, value
from typer.testing import CliRunner

from keytrust.audit.auditor import Auditor
from keytrust.audit.errors import AuditError
from keytrust.audit.ldif import batch, dump
from keytrust.audit.ldif.dump import open_dump
from keytrust.audit.model import Code, Finding
from keytrust.audit.rules import Context
from keytrust.audit.run import audit_dump
from keytrust.audit.spool import Findings
from keytrust.cli.main import app


def record(name: str, *values: bytes, more: bytes = b"") -> bytes:
    lines = [b"dn: " + dn(name).encode(), b"objectClass: user", b"sAMAccountName: " + name.encode()]
    lines.append(b"objectGUID:: " + base64.b64encode(guid(name)))
    lines += [b"msDS-KeyCredentialLink: " + each for each in values]
    return b"\n".join(lines) + b"\n" + more + b"\n"


def audited(path: Path, jobs: int | None = None) -> list[Finding]:
    with open_dump(path, jobs) as opened, Findings() as findings:
        auditor = Auditor(Context(int(NOW.timestamp())), findings)
        audit_dump(opened, path.name, auditor)
        return list(findings)


def test_several_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dump.ldif"
    bad = planted(PLANTED["bloodyAD 2.5.7 (badldap builder)"], "u7")
    path.write_bytes(b"".join(record(f"u{n}", *([bad] if n == 7 else [value(f"u{n}", n % 5)])) for n in range(60)))
    alone = audited(path, jobs=1)
    monkeypatch.setattr(dump, "_SMALL", 0)
    monkeypatch.setattr(dump, "pieces", lambda file: original(file, 4000))
    together = audited(path, jobs=3)
    assert alone == together
    assert codes(alone) >= {Code.TOOL_MARK, Code.SHARED_KEY}


def killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dump.ldif"
    path.write_bytes(record("a", value("a", 1)))
    monkeypatch.setattr(dump, "_SMALL", 0)
    monkeypatch.setattr(dump, "read_batch", killed)
    with pytest.raises(AuditError, match="died") as raised:
        audited(path, jobs=2)
    assert "--jobs 1" in raised.value.remedy


original = dump.pieces


def test_devices_and_permissions_of_the_dump_are_used(tmp_path: Path) -> None:
    device = b"dn: CN=d,DC=x\nobjectClass: msDS-Device\nmsDS-DeviceID:: " + base64.b64encode(bytes(16)) + b"\n"
    device += b"msDS-CloudAnchor:: eA==\n\n"
    sd = base64.b64encode(descriptor(ace("S-1-1-0", 0xF01FF)))
    path = tmp_path / "dump.ldif"
    path.write_bytes(record("a", value("a", 1), more=b"nTSecurityDescriptor:: " + sd + b"\n") + device)
    assert codes(audited(path)) == {Code.NO_DEVICE, Code.BROAD_WRITER}


@pytest.mark.parametrize(
    "content",
    [b"\x7fELF" + bytes(range(256)) * 100, b"{" * 10_000, b"<html>", b"MZ\x90\x00\n\n" * 1000],
    ids=["binary", "nested", "html", "many"],
)
def test_a_file_that_is_no_ldif_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dump.ldif").write_bytes(content)
    with pytest.raises(AuditError, match="not LDIF"):
        audited(tmp_path / "dump.ldif")


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_goes_from_nothing_to_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    monkeypatch.setattr(dump, "_SMALL", 0)
    monkeypatch.setattr(dump, "pieces", lambda file: original(file, 4000))
    path = tmp_path / "dump.ldif"
    path.write_bytes(b"".join(record(f"u{n}", value(f"u{n}", 1)) for n in range(30)))
    shares: list[float] = []
    with open_dump(path, jobs) as opened, Findings() as findings:
        auditor = Auditor(Context(int(NOW.timestamp())), findings)
        audit_dump(opened, path.name, auditor, progress=shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.1
    assert shares[-1] == 1


def test_an_empty_dump_is_an_audit_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "dump.ldif").write_bytes(b"version: 1\n")
    assert audited(tmp_path / "dump.ldif") == []


def test_damage_beyond_measure_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_DAMAGES", 3)
    (tmp_path / "dump.ldif").write_bytes(record("a", value("a", 1)) + b"junk\n\n" * 10)
    messages = [f.message for f in audited(tmp_path / "dump.ldif") if f.code is Code.DAMAGED_RECORD]
    assert messages[-1] == "7 more damaged records"
    assert len(messages) == 4


class TestCommand:
    """``keytrust audit`` as a person runs it, without any configuration."""

    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("KEYTRUST_CONFIG", raising=False)
        path = tmp_path / "dump.ldif"
        path.write_bytes(record("alice", value("alice", 1)) + record("bob", value("bob", 2), b"garbage"))
        return path

    def users(self, path: Path, **keys: list[int]) -> str:
        users = [
            {
                "id": name,
                "userPrincipalName": f"{name}@corp.example",
                "onPremisesImmutableId": base64.b64encode(guid(name)).decode(),
                "deviceKeys": [
                    {"keyType": "NGC", "keyMaterial": base64.b64encode(material(n)).decode()} for n in numbers
                ],
            }
            for name, numbers in keys.items()
        ]
        file = path.with_name("users.json")
        file.write_text(json.dumps(users))
        return str(file)

    def run(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["audit", *arguments])
        return done.exit_code, done.output

    def test_exit_codes_follow_the_severity(self, path: Path) -> None:
        assert self.run(str(path))[0] == 0
        assert self.run(str(path), "--fail-on", "medium")[0] == 2
        assert self.run(str(path), "--cloud", self.users(path, alice=[1], bob=[2]))[0] == 0
        assert self.run(str(path), "--cloud", self.users(path, alice=[1], bob=[3]))[0] == 2

    def test_what_was_not_checked_is_said(self, path: Path) -> None:
        _, output = self.run(str(path))
        assert "planted keys cannot be told" in " ".join(output.split())

    def test_a_baseline_silences_what_is_known(self, path: Path) -> None:
        accepted = str(path.with_name("accepted"))
        assert self.run(str(path), "--fail-on", "info", "--write-baseline", accepted)[0] == 2
        code, output = self.run(str(path), "--fail-on", "info", "--baseline", accepted)
        assert code == 0
        assert "1 accepted" in output

    def test_a_report_goes_into_the_file_and_nowhere_else(self, path: Path) -> None:
        report = path.with_name("report.json")
        code, output = self.run(str(path), "--format", "json", "-o", str(report))
        assert (code, output.strip()) == (0, "")
        assert json.loads(report.read_text())["census"]["values"] == 3
        assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []

    def test_a_cloud_file_that_is_broken_is_an_error_and_no_report(self, path: Path) -> None:
        path.with_name("users.json").write_text('[{"id": "x"')
        done = CliRunner().invoke(app, ["audit", str(path), "--cloud", str(path.with_name("users.json"))])
        assert type(done.exception).__name__ == "CloudError"

    def test_fix_is_for_the_live_domain(self, path: Path) -> None:
        assert self.run(str(path), "--fix")[0] == 64
