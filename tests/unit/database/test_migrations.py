"""Tables are made and upgraded once, whoever comes at the same time."""

from __future__ import annotations

import importlib
import multiprocessing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text

from keytrust.database import make_engine, migrate, writing
from keytrust.errors import RegistryError, StoreError
from keytrust.registry.database import Database
from keytrust.store.database import open_store
from keytrust.store.tables import HEAD
from keytrust.sync.journal import Journal

PACKAGES = ["keytrust.store", "keytrust.registry"]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_migrations_make_the_tables_that_the_program_uses(package: str, tmp_path: Path) -> None:
    tables = importlib.import_module(f"{package}.tables")
    engine = make_engine(make_url(f"sqlite:///{tmp_path}/made.db"))
    migrate(engine, package, tables.HEAD)
    with engine.connect() as connection:
        version_table = f"{package.rpartition('.')[2]}_version"
        context = MigrationContext.configure(connection, opts={"version_table": version_table, "compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == tables.HEAD
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == tables.HEAD


def test_a_mirror_of_an_earlier_keytrust_is_read_anew_before_anything_is_decided(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/earlier.db"
    with writing(make_engine(make_url(url))) as connection:
        config = Config()
        config.set_main_option("script_location", "keytrust.store:migrations")
        config.attributes.update(connection=connection, version_table="store_version")
        command.upgrade(config, "0003")
        connection.execute(
            text(
                "INSERT INTO mirrors (id, sid, name, source, rebuilt, stamp, cloud_cursor, paused)"
                " VALUES (1, 'S-1-5-21-1', 'corp.example', 'x', '2026-01-01', 4, 'here', false)"
            )
        )
        connection.execute(
            text("INSERT INTO accounts VALUES (1, :guid, :guid, 'S-1-5-21-1-5', 'alice', :guid, 4)"),
            {"guid": bytes(16)},
        )
    with open_store(url).connect() as connection:
        found = connection.execute(text("SELECT rebuilt, stamp, cloud_cursor FROM mirrors")).one()
        assert tuple(found) == (None, 4, "here")
        assert connection.execute(text("SELECT count(*) FROM accounts")).scalar() == 0


def test_store_and_registry_can_share_one_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/both.db"
    open_store(url).dispose()
    Database.open(url).close()
    open_store(url).dispose()
    Database.open(url).close()


def test_many_processes_that_open_a_new_store_at_once_all_get_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for number in range(5):
        url = f"sqlite:///{tmp_path}/{number}.db"
        barrier = context.Barrier(4)
        workers = [context.Process(target=_open_and_write, args=(url, barrier)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0] * 4
        assert len(Journal(open_store(url)).runs()) == 4


def _open_and_write(url: str, barrier: object) -> None:
    barrier.wait(30)  # type: ignore[attr-defined]
    journal = Journal(open_store(url))
    run = journal.start_run("sync", domain="d", domain_sid="s", server="x", source="y", operator="z")
    journal.finish_run(run, "ok")


def test_a_store_of_a_newer_keytrust_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/newer.db"
    engine = open_store(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE store_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="made by a newer keytrust"):
        open_store(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM store_version")).scalar() == "9999"


def test_a_registry_database_of_a_newer_keytrust_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/newer.db"
    Database.open(url).close()
    engine = make_engine(make_url(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE registry_version SET version_num = '9999'"))
    with pytest.raises(RegistryError, match="made by a newer keytrust"):
        Database.open(url)


def test_new_tables_are_told_once_by_us_and_the_library_keeps_silent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    told: list[tuple[str, str]] = []
    for _ in range(2):
        open_store(f"sqlite:///{tmp_path}/new.db", lambda *versions: told.append(versions)).dispose()
    assert told == [("", HEAD)]
    assert caplog.records == []
