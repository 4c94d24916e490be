"""Imports over time, on each kind of database: limits, blocks, restorations, the purge; and from a real directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from registry_site import ANY, LAPTOP, Site, account, material
from sqlalchemy import select, update
from typer.testing import CliRunner, Result

from keytrust.cli.main import app
from keytrust.directory.domain import Domain
from keytrust.lab import Lab, LabUser
from keytrust.registry import Database, import_users, register_device
from keytrust.registry.audit import Origin, trail
from keytrust.registry.from_directory import import_domains
from keytrust.registry.tables import devices, keys, users
from keytrust.registry.user_import import DeletionLimit, UserImport
from keytrust.registry.users import KEPT_SECONDS, find_user, set_blocked


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


def crowd(*numbers: int, **changes: Any) -> list[Any]:
    return [account(f"user{number}", **changes) for number in numbers]


def names(database: Database) -> set[str]:
    with database.read() as connection:
        found = connection.execute(select(users.c.upn).where(users.c.deleted.is_(None))).scalars()
        return {upn.partition("@")[0] for upn in found}


def test_more_deletions_than_the_limit_delete_nobody_until_a_person_raises_it(database: Database) -> None:
    import_users(database, crowd(*range(40)))
    report = import_users(database, crowd(*range(37)), complete=True)
    assert (report.removed, report.held, report.allowed) == (0, 3, 2)
    assert sorted(report.missing) == ["user37@example.org", "user38@example.org", "user39@example.org"]
    assert len(names(database)) == 40
    assert import_users(database, crowd(*range(38)), complete=True).removed == 2
    assert import_users(database, crowd(0), complete=True, limit=DeletionLimit(raised_to=37)).removed == 37
    assert names(database) == {"user0"}


def test_one_deletion_is_always_allowed_and_the_lower_limit_counts() -> None:
    assert [DeletionLimit().allowed(population) for population in (0, 1, 19, 40, 1000, 1_000_000)] == [
        1, 1, 1, 2, 50, 500,
    ]  # fmt: skip
    assert DeletionLimit(raised_to=0).allowed(1000) == 0


def test_a_dry_run_reports_what_an_import_would_do_and_changes_nothing(database: Database) -> None:
    import_users(database, crowd(*range(40)))
    wanted = [*crowd(*range(1, 38)), account("new"), account("user38", upn="renamed@example.org")]
    before = names(database)
    with database.read() as connection:
        written = len(trail(connection))
    foreseen = import_users(database, wanted, complete=True, dry_run=True)
    assert names(database) == before
    with database.read() as connection:
        assert len(trail(connection)) == written
    done = import_users(database, wanted, complete=True)
    foreseen.dry_run = False
    assert (foreseen.added, foreseen.updated, foreseen.removed) == (1, 1, 2)
    assert foreseen == done


def test_an_account_that_comes_back_brings_its_user_with_id_and_keys_back(any_site: Site) -> None:
    assert any_site.post(material(1), any_site.device_token()).status_code == 200
    before = any_site.read()["alice"]
    import_users(any_site.database, [account("bob"), account("carol")], complete=True, limit=ANY)
    assert "alice" not in any_site.read()
    assert any_site.post(material(2), any_site.device_token()).status_code == 400
    report = import_users(any_site.database, [account("alice", upn="alicia@example.org", sid="S-1-5-21-9-9-9-9")])
    assert (report.restored, report.updated) == (1, 1)
    after = any_site.read()["alicia"]
    assert (after.id, after.keys, after.sid) == (before.id, before.keys, "S-1-5-21-9-9-9-9")


def test_a_block_by_an_administrator_outlives_imports(any_site: Site) -> None:
    alice = any_site.read()["alice"].id
    assert set_blocked(any_site.database, alice, True, origin=Origin("test", 1))
    import_users(any_site.database, [account("alice", upn="Alice@example.org")])
    assert any_site.read()["Alice"].enabled is False
    assert any_site.post(material(1), any_site.device_token()).json()["code"] == "user_disabled"
    assert set_blocked(any_site.database, alice, False, origin=Origin("test", 1))
    assert any_site.post(material(1), any_site.device_token()).status_code == 200
    import_users(any_site.database, [account("alice", enabled=False)])
    assert any_site.post(material(2), any_site.device_token()).json()["code"] == "user_disabled"


def test_who_was_deleted_30_days_ago_is_purged_with_keys_and_nobody_gets_the_devices(any_site: Site) -> None:
    database = any_site.database
    for number, name in enumerate(("alice", "bob")):
        assert any_site.post(material(number), any_site.device_token(name)).status_code == 200
    link = any_site.get("/beta/users/delta?$deltatoken=latest").json()["@odata.deltaLink"]
    import_users(database, [account("carol")], complete=True, limit=ANY)
    link = httpx.get(link, headers=any_site.reader()).json()["@odata.deltaLink"]
    with database.write() as connection:
        old = Origin("test", 1).at
        deleted_at = connection.execute(
            select(users.c.deleted).where(users.c.upn_key == "alice@example.org")
        ).scalar_one()
        connection.execute(
            update(users)
            .where(users.c.upn_key == "alice@example.org")
            .values(deleted=deleted_at - KEPT_SECONDS * 1_000_000 - old)
        )
    run = UserImport(database, dry_run=True)
    run.purge()
    assert run.report.purged == 0
    run = UserImport(database)
    run.purge()
    assert run.report.purged == 1
    with database.read() as connection:
        assert sorted(connection.execute(select(users.c.upn)).scalars()) == ["bob@example.org", "carol@example.org"]
        assert connection.execute(select(keys.c.material)).scalars().all() == [material(1)]
        laptop = connection.execute(select(devices).where(devices.c.id == str(LAPTOP))).one()
        assert (laptop.owner_id, laptop.enabled) == (None, False)
    # Whoever follows the changes goes on where they were: numbers do not go back.
    following = httpx.get(link, headers=any_site.reader())
    assert (following.status_code, following.json()["value"]) == (200, [])
    import_users(database, [account("alice")])
    assert len(httpx.get(link, headers=any_site.reader()).json()["value"]) == 1


def test_only_the_domains_that_were_read_to_their_ends_lose_users(database: Database) -> None:
    import_users(database, [*crowd(1, 2, domain="a.example"), *crowd(3, 4, domain="b.example")])
    run = UserImport(database)
    run.take(crowd(1, domain="a.example"))
    run.delete_missing(ANY, ["A.EXAMPLE"])
    assert names(database) == {"user1", "user3", "user4"}


# -- from a real directory ----------------------------------------------------------------------------------------

MakeUser = Callable[..., LabUser]


@pytest.fixture
def config(lab: Lab, tmp_path: Path) -> Path:
    text = lab.spec.config.read_text().replace(f"sqlite:///{lab.spec.registry_database}", f"sqlite:///{tmp_path}/r.db")
    path = tmp_path / "keytrust.toml"
    path.write_text(text)
    return path


def run_import(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["registry", "import", *words, "--json", "--config", str(config)])


@pytest.mark.lab
def test_users_follow_their_accounts_in_a_real_directory(lab: Lab, config: Path, make_user: MakeUser) -> None:
    here, off, leaving = make_user(), make_user(disabled=True), make_user()
    first = json.loads(run_import(config).stdout)
    assert first["added"] >= 3
    with Database.open(f"sqlite:///{config.parent}/r.db").read() as connection:
        found = {sam: find_user(connection, upn=f"{sam}@{lab.spec.domain}") for sam in (here.sam, off.sam)}
    assert [row is not None and row.active for row in found.values()] == [True, False]
    lab.delete_users([leaving])
    foreseen = run_import(config, "--dry-run")
    assert f"{leaving.sam}@{lab.spec.domain}" in json.loads(foreseen.stdout)["missing"]
    # Other tests make and remove users meanwhile: what is certain is said of ours alone.
    assert json.loads(run_import(config, "--allow-removals", "1000").stdout)["removed"] >= 1
    database = Database.open(f"sqlite:///{config.parent}/r.db")
    with database.read() as connection:
        assert find_user(connection, upn=f"{leaving.sam}@{lab.spec.domain}") is None
        assert find_user(connection, upn=f"{here.sam}@{lab.spec.domain}") is not None
    register_device(database, UUID(int=7), owner_upn=f"{here.sam}@{lab.spec.domain}")
    database.close()


@pytest.mark.lab
def test_a_directory_that_shows_nobody_deletes_nobody(
    config: Path, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user()
    run_import(config)
    before = names(Database.open(f"sqlite:///{config.parent}/r.db"))
    monkeypatch.setattr(Domain, "accounts", lambda _self: iter(()))
    result = run_import(config, "--allow-removals", "1000")
    assert result.exit_code == 3
    assert "no account at all" in next(iter(json.loads(result.stdout)["faults"].values()))
    assert names(Database.open(f"sqlite:///{config.parent}/r.db")) == before


@pytest.mark.lab
def test_a_domain_that_breaks_off_deletes_nobody(
    lab: Lab, config: Path, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keytrust.config import load
    from keytrust.errors import DirectoryError

    make_user()
    settings = load(config)
    run_import(config)
    before = names(Database.open(settings.need_registry().database_url))
    whole = Domain.accounts

    def broken(self: Domain) -> Iterator[Any]:
        yield next(whole(self))
        raise DirectoryError("the connection was lost")

    with Domain(settings.need_directory()) as domain:
        monkeypatch.setattr(Domain, "accounts", broken)
        report, faults = import_domains(settings.need_registry(), [domain], allow_deletions=1000)
    assert list(faults) == [lab.spec.domain]
    assert report.removed == 0
    assert names(Database.open(settings.need_registry().database_url)) == before
