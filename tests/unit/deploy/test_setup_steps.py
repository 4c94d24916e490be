"""Set-up steps over files: journaled before they are made, refused when the world moved, completed and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from keytrust.deploy.changes import WriteFile
from keytrust.deploy.errors import SetupError
from keytrust.deploy.journal import Outcome, SetupJournal
from keytrust.deploy.runner import Actor, Became, carry_out
from keytrust.deploy.step import Change, Step, World
from keytrust.deploy.undo import plan_undo
from keytrust.errors import StoreError
from keytrust.store.database import open_store
from keytrust.store.lease import writer

ACTOR = Actor("corp.example", "dc1.corp.example", "administrator@CORP.EXAMPLE")


@pytest.fixture
def store(tmp_path: Path) -> Engine:
    return open_store(f"sqlite:///{tmp_path}/store.db")


def _step(*changes: Change) -> Step:
    return Step("test", "a test", changes=changes)


def _undo(store: Engine, run: str) -> tuple[str, ...]:
    journal = SetupJournal(store)
    step, conflicts = plan_undo(journal.run(run), journal.entries(run), World())
    carry_out(step, World(), journal, ACTOR)
    return conflicts


def test_files_are_written_journaled_and_taken_back(tmp_path: Path, store: Engine) -> None:
    old, new = tmp_path / "old.conf", tmp_path / "new.conf"
    old.write_bytes(b"before\n")
    step = _step(WriteFile(old, b"after\n", b"before\n", mode=0o600), WriteFile(new, b"new\n"))
    report = carry_out(step, World(), SetupJournal(store), ACTOR)
    assert old.read_bytes() == b"after\n"
    assert old.stat().st_mode & 0o777 == 0o600
    assert [entry.outcome for entry in SetupJournal(store).entries(report.run)] == [Outcome.DONE] * 2
    assert _undo(store, report.run) == ()
    assert old.read_bytes() == b"before\n"
    assert not new.exists()
    assert SetupJournal(store).verify()[0] == 8


def test_nothing_is_done_that_cannot_be_journaled(tmp_path: Path, store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON setup_journal BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        )
    with pytest.raises(StoreError, match="disk full"):
        carry_out(_step(WriteFile(tmp_path / "a", b"a")), World(), SetupJournal(store), ACTOR)
    assert not (tmp_path / "a").exists()


def test_a_world_that_has_moved_stops_the_step_before_that_change(tmp_path: Path, store: Engine) -> None:
    first, second = WriteFile(tmp_path / "a", b"a"), WriteFile(tmp_path / "b", b"b")
    (tmp_path / "b").write_bytes(b"somebody else's")
    with pytest.raises(SetupError, match="has other content now") as refused:
        carry_out(_step(first, second), World(), SetupJournal(store), ACTOR)
    assert (tmp_path / "b").read_bytes() == b"somebody else's"
    run = SetupJournal(store).run("last").id
    assert f"keytrust setup undo {run}" in refused.value.remedy
    assert len(SetupJournal(store).entries(run)) == 1
    _undo(store, run)
    assert not (tmp_path / "a").exists()


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after it took effect"])
def test_a_run_that_dies_is_completed_by_the_next_or_undone(tmp_path: Path, store: Engine, after: bool) -> None:
    class Dying(WriteFile):
        def apply(self, world: World) -> str:
            if after:
                super().apply(world)
            raise _Killed

    changes = [WriteFile(tmp_path / "a", b"a"), Dying(tmp_path / "b", b"b"), WriteFile(tmp_path / "c", b"c")]
    with pytest.raises(_Killed):
        carry_out(_step(*changes), World(), SetupJournal(store), ACTOR)
    killed = SetupJournal(store).run("last")
    assert killed.finished is None
    assert [entry.outcome for entry in SetupJournal(store).entries(killed.id)] == [Outcome.DONE, None]
    whole = [WriteFile(tmp_path / name, name.encode()) for name in "abc"]
    second = carry_out(_step(*whole), World(), SetupJournal(store), ACTOR)
    became = [result.became for result in second.results]
    assert became == [Became.ALREADY, Became.ALREADY if after else Became.DONE, Became.DONE]
    assert _undo(store, second.run) == ()
    assert _undo(store, killed.id) == ()
    assert sorted(path.name for path in tmp_path.iterdir() if len(path.name) == 1) == []


def test_what_others_changed_since_is_a_conflict_and_stays(tmp_path: Path, store: Engine) -> None:
    made = [WriteFile(tmp_path / "a", b"a"), WriteFile(tmp_path / "b", b"b")]
    run = carry_out(_step(*made), World(), SetupJournal(store), ACTOR).run
    (tmp_path / "a").write_bytes(b"edited")
    conflicts = _undo(store, run)
    assert len(conflicts) == 1
    assert "has other content now" in conflicts[0]
    assert (tmp_path / "a").read_bytes() == b"edited"
    assert not (tmp_path / "b").exists()


def test_secrets_are_written_and_never_shown_or_journaled(tmp_path: Path, store: Engine) -> None:
    secret = WriteFile(tmp_path / "ca.key", b"very secret", mode=0o600, secret=True)
    assert "very secret" not in repr(secret) + "".join(secret.exact())
    run = carry_out(_step(secret), World(), SetupJournal(store), ACTOR).run
    with store.connect() as connection:
        rows = connection.execute(text("SELECT change FROM setup_journal")).scalars().all()
    assert not any("dmVyeSBzZWNyZXQ" in (row or "") for row in rows)
    assert _undo(store, run) == ()
    assert not (tmp_path / "ca.key").exists()
    (tmp_path / "ca.key").write_bytes(b"older")
    with pytest.raises(SetupError, match="there already"):
        WriteFile(tmp_path / "ca.key", b"newer", b"older", secret=True)


def test_two_steps_at_once_are_refused(tmp_path: Path, store: Engine) -> None:
    held = writer(store, "keytrust setup", "keytrust setup")
    with held, pytest.raises(StoreError, match="may change the directory, and now keytrust setup"):
        carry_out(_step(WriteFile(tmp_path / "a", b"a")), World(), SetupJournal(store), ACTOR)


def test_an_undo_is_not_undone(tmp_path: Path, store: Engine) -> None:
    run = carry_out(_step(WriteFile(tmp_path / "a", b"a")), World(), SetupJournal(store), ACTOR).run
    _undo(store, run)
    with pytest.raises(SetupError, match="an undo is not undone"):
        _undo(store, SetupJournal(store).run("last").id)


def test_an_altered_row_is_found(tmp_path: Path, store: Engine) -> None:
    carry_out(_step(WriteFile(tmp_path / "a", b"a")), World(), SetupJournal(store), ACTOR)
    with store.begin() as connection:
        connection.execute(text("UPDATE setup_journal SET summary = 'nothing' WHERE seq = 1"))
    with pytest.raises(StoreError, match="row 1"):
        SetupJournal(store).verify()
