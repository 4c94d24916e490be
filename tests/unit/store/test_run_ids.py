"""Runs opened in the same second never share an id, whatever is drawn."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from keytrust.errors import StoreError
from keytrust.store.database import opened_store
from keytrust.store.run_ids import open_run
from keytrust.store.tables import setup_runs
from keytrust.sync.journal import Journal

STEP = {"step": "scp", "domain": "d", "server": "s", "identity": "i", "operator": "o"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    with opened_store(f"sqlite:///{tmp_path}/keytrust.db") as store:
        yield store


def _ids(store: Engine) -> int:
    with store.connect() as connection:
        count: int = connection.execute(select(func.count()).select_from(setup_runs)).scalar_one()
    return count


def test_runs_opened_at_once_by_several_all_have_their_own_id(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = count()
    monkeypatch.setattr(secrets, "token_hex", lambda _: f"{next(drawn) // 2:04x}")  # each is drawn twice
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: open_run(store, setup_runs, STEP), range(24)))
    assert len(set(made)) == 24 == _ids(store)


def test_the_journal_of_keys_draws_again_too(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["aaaa", "aaaa", "aaaa", "bbbb", "cccc"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(drawn))
    journal = Journal(store)
    place = {"domain": "d", "domain_sid": "S-1", "server": "s", "source": "c", "operator": "o"}
    first, second = journal.start_run("sync", **place), journal.start_run("sync", **place)
    assert first != second
    assert {run.id for run in journal.runs()} == {first, second}


def test_a_row_that_no_id_makes_good_is_an_error_soon(store: Engine) -> None:
    with pytest.raises(StoreError, match="NOT NULL"):
        open_run(store, setup_runs, STEP | {"step": None})
    assert _ids(store) == 0
