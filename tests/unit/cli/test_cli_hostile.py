"""What hostile names, values and files can do to the commands that show or read them: be shown, or be refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from click.testing import Result
from tests.support.world import account, cloud_user, dn, guid, key, plan, value
from typer.testing import CliRunner

from keytrust import config
from keytrust.cli.main import app
from keytrust.cli.options import given
from keytrust.cli.output import out
from keytrust.errors import PlanError
from keytrust.store.database import open_store
from keytrust.sync import planfile
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import AccountRef, Action, Change

HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.exe\u061c[red]\\[/] :warning:\U000e0041"
SHOWN = r"\u001b[2J\u001b]0;title\u0007\u009b31m\u202egnp.exe\u061c[red]\[/] :warning:\U000e0041"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u202e\U000e0041]")


def run(*arguments: str, stdin: str | bytes = "", store: Path | None = None) -> Result:
    env = {"TERM": "xterm", "FORCE_COLOR": None, config.VARIABLE: None}
    if store is not None:
        (store / "keytrust.toml").write_text(f'[store]\nurl = "sqlite:///{store}/keytrust.db"\n')
        env[config.VARIABLE] = str(store / "keytrust.toml")
    return CliRunner().invoke(app, arguments, input=stdin, env=env)


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wide enough for everything on one line, whatever COLUMNS was when the program was loaded."""
    monkeypatch.setattr(out, "_width", 1000)


@pytest.fixture(autouse=True)
def nothing_given_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what another test in this process gave on the command line."""
    monkeypatch.setattr(given, "config", None)
    monkeypatch.setattr(given, "verbose", False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A journal with one run in which everything that others can name is hostile."""
    journal = Journal(open_store(f"sqlite:///{tmp_path}/keytrust.db"))
    opened = journal.start_run(
        "sync", domain=HOSTILE, domain_sid="S-1-5-21-1-2-3", server=HOSTILE, source=HOSTILE, operator=HOSTILE
    )
    who = AccountRef(guid("x"), HOSTILE, "S-1-5-21-1-2-3-4", HOSTILE)
    (seq,) = journal.intend(opened, HOSTILE, [Change(Action.ADD, who, value("x", 1), key(1).key_id, HOSTILE)])
    journal.conclude(opened, [(seq, Outcome.FAILED, HOSTILE)])
    journal.finish_run(opened, HOSTILE)
    return tmp_path


def test_history_shows_hostile_names_as_they_are_and_steers_no_terminal(store: Path) -> None:
    listed = run("history", store=store)
    (opened,) = json.loads(run("history", "--json", store=store).stdout)
    one = run("history", opened["id"], store=store)
    for done, times in ((listed, 3), (one, 2)):
        assert done.exit_code == 0
        assert not RAW.search(done.output)
        assert done.output.count(SHOWN) == times
    as_json = run("history", opened["id"], "--json", store=store).output
    assert as_json.isascii()
    assert json.loads(as_json)[0]["account"] == HOSTILE


def test_history_of_a_run_that_has_a_hostile_name(store: Path) -> None:
    done = run("history", HOSTILE, store=store)
    assert done.exit_code != 0


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_decode_shows_a_hostile_name_as_it_is(form: tuple[str, ...]) -> None:
    raw = value("x", 1).decode().replace(dn("x"), HOSTILE)
    done = run("decode", raw, *form)
    assert done.exit_code == 0
    assert not RAW.search(done.output)
    assert (SHOWN in done.output) or json.loads(done.output)["dn"] == HOSTILE


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\xff",
        b"B:4:0002:\xed\xa0\x80",
        b"B:99999999999999:00:x",
        b"msDS-KeyCredentialLink::: x",
    ],
)
def test_decode_refuses_garbage_in_one_line_each(line: bytes) -> None:
    done = run("decode", "-", stdin=line + b"\n" + value("x", 1) + b"\n")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert "Line 1" in done.output
    assert "Intact" in done.output
    assert not RAW.search(done.output)


class TestOutput:
    """A terminal or a file of any encoding takes what is written, and a reader may stop reading."""

    @pytest.fixture
    def dump(self, tmp_path: Path) -> Path:
        record = "dn: CN=Zoë\nobjectClass: user\nsAMAccountName: Zoë 名\nmsDS-KeyCredentialLink: garbage\n\n"
        (tmp_path / "dump.ldif").write_text(record + record.replace("Zoë", "b") * 2000, encoding="utf-8")
        return tmp_path / "dump.ldif"

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
    def test_names_that_the_terminal_cannot_show_are_spelt_out(self, dump: Path, encoding: str) -> None:
        done = self.audit(dump, encoding)
        assert done.returncode == 0
        assert done.stderr == b""
        assert "Zoë 名".encode(encoding, "backslashreplace") in done.stdout

    @pytest.mark.parametrize("form", ["csv", "html"])
    def test_a_report_is_utf_8_whatever_the_terminal_is(self, dump: Path, form: str) -> None:
        assert "Zoë 名" in self.audit(dump, "latin-1", "--format", form).stdout.decode("utf-8")

    def test_a_reader_that_stops_reading_is_no_fault_of_the_dump(self, dump: Path) -> None:
        command = [sys.executable, "-m", "keytrust", "audit", str(dump), "--format", "csv"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.read(8) == b"severity"
            process.stdout.close()
            assert process.stderr.read() == b""

    def test_a_file_for_a_report_needs_a_format(self, dump: Path) -> None:
        done = run("audit", str(dump), "-o", str(dump.with_name("report")))
        assert done.exit_code == 64
        assert not dump.with_name("report").exists()

    @staticmethod
    def audit(dump: Path, encoding: str, *more: str) -> subprocess.CompletedProcess[bytes]:
        env = os.environ | {"PYTHONIOENCODING": encoding}
        command = [sys.executable, "-m", "keytrust", "audit", str(dump), *more]
        return subprocess.run(command, env=env, capture_output=True, check=False, timeout=120)


class TestPlanFiles:
    @pytest.fixture
    def saved(self, tmp_path: Path) -> Path:
        made = plan([cloud_user("alice", (key(1),))], [account("alice")])
        planfile.save(made, tmp_path / "plan.json")
        return tmp_path / "plan.json"

    @pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.99])
    def test_one_that_is_cut_short_is_refused(self, saved: Path, share: float) -> None:
        whole = saved.read_bytes()
        saved.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(PlanError, match="not an intact plan") as refused:
            planfile.load(saved)
        assert refused.value.not_done == "Nothing was changed."

    @pytest.mark.parametrize(
        "content",
        [
            *(
                b"[]",
                b"null",
                b'{"format": "keytrust-plan-2"}',
                b"\xff\xfe{\x00",
                b"[" * 100_000,
                b"{" + b'"a":{' * 50_000,
            ),
            *(b'{"value": []}', b"<html>", b"\x00" * 1000, b'{"format": "keytrust-plan-1", "x": ' + b"1" * 5000 + b"}"),
        ],
        ids=lambda content: content[:24].hex(),
    )
    def test_one_that_is_none_is_refused(self, saved: Path, content: bytes) -> None:
        saved.write_bytes(content)
        with pytest.raises(PlanError, match="plan"):
            planfile.load(saved)

    def test_a_large_file_that_does_not_begin_as_a_plan_is_refused_unread(self, saved: Path) -> None:
        with saved.open("wb") as file:
            file.write(b'{"value": [')
            file.truncate(1 << 30)  # holes: nothing of it is on disk
        with pytest.raises(PlanError, match="does not begin as a plan"):
            planfile.load(saved)

    def test_an_endless_one_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(planfile, "_LARGE", 1 << 20)
        with pytest.raises(PlanError, match="too large"):
            planfile.load(Path("/dev/zero"))

    def test_one_from_a_pipe_is_read(self, saved: Path, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        writer = Thread(target=(tmp_path / "pipe").write_bytes, args=(saved.read_bytes(),))
        writer.start()
        assert planfile.load(tmp_path / "pipe") == planfile.load(saved)
        writer.join()

    def test_of_many_faults_some_are_told(self, saved: Path) -> None:
        document = json.loads(saved.read_text())
        document["changes"] = [document["changes"][0] | {"keyId": HOSTILE}] * 1000
        saved.write_text(json.dumps(document))
        with pytest.raises(PlanError, match=r"changes\.0\.keyId") as refused:
            planfile.load(saved)
        assert refused.value.detail.count("\n") == 19

    @pytest.mark.parametrize("what", ["name", "dn", "reason"])
    def test_hostile_texts_in_a_plan_are_shown_as_they_are(self, saved: Path, what: str) -> None:
        document = json.loads(saved.read_text())
        change = document["changes"][0]
        (change["account"] if what in change["account"] else change)[what] = HOSTILE
        saved.write_text(json.dumps(document))
        loaded = planfile.load(saved)
        fresh = plan([cloud_user("alice", ())], [account("alice")])
        with pytest.raises(PlanError, match="no longer called for"):
            planfile.check_still_valid(loaded, fresh)
