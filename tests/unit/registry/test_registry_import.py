"""Bringing the registry's users in step with Active Directory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Dialect, create_mock_engine, select
from sqlalchemy.dialects import postgresql

from keytrust.errors import RegistryError
from keytrust.registry import Database, ImportedUser, import_users, register_device
from keytrust.registry.tables import metadata, users
from keytrust.registry.user_import import DeletionLimit
from keytrust.registry.users import find_user

ANY = DeletionLimit(raised_to=1_000_000)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/registry.db")
    yield opened
    opened.close()


def account(number: int, **changes: Any) -> ImportedUser:
    given = {"source_anchor": number.to_bytes(16, "little"), "upn": f"user{number}@example.org"}
    return ImportedUser(**{**given, **changes})


def present(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(users.c.upn).where(users.c.deleted.is_(None))).scalars())


def test_an_import_adds_updates_and_leaves_alone(database: Database) -> None:
    first = import_users(database, [account(number) for number in range(1200)], complete=True)
    assert (first.added, first.updated, first.unchanged, first.removed) == (1200, 0, 0, 0)
    changed = [account(number) for number in range(1199)] + [account(1199, upn="renamed@example.org", enabled=False)]
    second = import_users(database, changed, complete=True)
    assert (second.added, second.updated, second.unchanged, second.removed) == (0, 1, 1199, 0)
    with database.read() as connection:
        renamed = find_user(connection, upn="Renamed@Example.org")
    assert renamed is not None
    assert not renamed.enabled


def test_an_account_of_unknown_state_changes_nothing_and_its_user_is_not_deleted(database: Database) -> None:
    known = [account(number, enabled=number > 0) for number in range(3)]
    import_users(database, known, complete=True)
    unread = [account(number, enabled=None, upn=f"other{number}@example.org") for number in range(4)]
    report = import_users(database, unread, complete=True, limit=ANY)
    assert (report.added, report.updated, report.removed, len(report.unknown)) == (0, 0, 0, 4)
    assert present(database) == {f"user{number}@example.org" for number in range(3)}
    with database.read() as connection:
        states = [find_user(connection, upn=f"user{number}@example.org") for number in range(3)]
    assert [bool(user and user.enabled) for user in states] == [False, True, True]


def test_only_a_complete_import_removes_and_a_later_one_restores(database: Database) -> None:
    import_users(database, [account(number) for number in range(5)], complete=True)
    assert import_users(database, [account(0)]).removed == 0
    assert len(present(database)) == 5
    assert import_users(database, [account(0), account(1)], complete=True, limit=ANY).removed == 3
    assert present(database) == {"user0@example.org", "user1@example.org"}
    report = import_users(database, [account(4)])
    assert (report.added, report.updated, report.restored) == (0, 1, 1)
    assert "user4@example.org" in present(database)


def test_a_complete_import_of_nobody_removes_nobody(database: Database) -> None:
    import_users(database, [account(0)], complete=True)
    with pytest.raises(RegistryError, match="no account at all"):
        import_users(database, [], complete=True)
    assert present(database) == {"user0@example.org"}


def test_an_import_that_breaks_off_removes_nobody(database: Database) -> None:
    import_users(database, [account(number) for number in range(5)], complete=True)

    def broken() -> Iterator[ImportedUser]:
        yield account(0)
        raise ConnectionError("the directory went away")

    with pytest.raises(ConnectionError):
        import_users(database, broken(), complete=True)
    assert len(present(database)) == 5


def test_two_accounts_with_one_source_anchor_are_reported(database: Database) -> None:
    twins = [account(1, distinguished_name="CN=a"), account(1, upn="b@example.org", distinguished_name="CN=b")]
    report = import_users(database, twins)
    assert (report.added, report.conflicts) == (1, ["CN=b"])
    assert present(database) == {"user1@example.org"}


@pytest.mark.parametrize(
    "changes",
    [
        {"upn": ""},
        {"upn": "a\0b"},
        {"upn": "\ud800"},
        {"upn": "x" * 2000},
        {"source_anchor": b""},
        {"source_anchor": b"x" * 1000},
        {"distinguished_name": "x" * 5000},
        {"sid": "S\0"},
    ],
)
def test_what_not_every_database_can_hold_is_reported_and_the_rest_imported(
    database: Database, changes: dict[str, Any]
) -> None:
    report = import_users(database, [account(1, **changes), account(2)])
    assert (report.added, len(report.conflicts)) == (1, 1)
    assert present(database) == {"user2@example.org"}


def test_names_may_be_swapped_in_one_import(database: Database) -> None:
    import_users(database, [account(1), account(2)])
    swapped = [account(1, upn="user2@example.org"), account(2, upn="user1@example.org")]
    assert import_users(database, swapped, complete=True).updated == 2
    with database.read() as connection:
        found = find_user(connection, upn="user1@example.org")
    assert found is not None
    assert found.source_anchor == "AgAAAAAAAAAAAAAAAAAAAA=="


def test_imports_at_once_add_each_user_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    databases = [Database.open(url) for _ in range(3)]
    accounts = [account(number) for number in range(600)]
    reports = []
    threads = [
        threading.Thread(target=lambda opened=opened: reports.append(import_users(opened, accounts)))
        for opened in databases
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(report.added for report in reports) == 600
    assert len(present(databases[0])) == 600
    for opened in databases:
        opened.close()


def test_a_device_needs_an_owner_who_exists_or_none(database: Database) -> None:
    import_users(database, [account(1)])
    register_device(database, UUID(int=1), owner_upn="USER1@example.org")
    register_device(database, UUID(int=2))
    with pytest.raises(RegistryError, match="nobody@example"):
        register_device(database, UUID(int=3), owner_upn="nobody@example.org")


def test_sqlite_commits_are_synced(database: Database) -> None:
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = 'x'")
        raise RuntimeError
    with database.read() as connection:
        kept = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'instance'").scalar()
        assert kept == database.instance


def test_two_processes_that_read_and_then_write_wait_for_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    one, two = Database.open(url), Database.open(url)

    def other_process() -> None:
        with two.write() as connection:
            connection.exec_driver_sql("INSERT INTO meta VALUES ('two', '2')")

    with one.write() as connection:
        connection.exec_driver_sql("SELECT * FROM meta").all()
        thread = threading.Thread(target=other_process)
        thread.start()
        thread.join(0.5)  # had the other been let in, our own write would now be refused
        connection.exec_driver_sql("INSERT INTO meta VALUES ('one', '1')")
    thread.join(30)
    with one.read() as connection:
        assert {("one", "1"), ("two", "2")} <= {tuple(row) for row in connection.exec_driver_sql("SELECT * FROM meta")}
    one.close()
    two.close()


def test_the_tables_are_valid_for_postgresql() -> None:
    statements: list[str] = []
    dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

    def note(statement: Any, *_: object, **__: object) -> None:
        statements.append(str(statement.compile(dialect=dialect)))

    metadata.create_all(create_mock_engine("postgresql+psycopg://", note), checkfirst=False)
    ddl = "\n".join(statements)
    assert "BYTEA" in ddl
    assert "BIGSERIAL" in ddl
    assert ddl.count("CREATE TABLE") == len(metadata.tables)
