"""Several registries on one PostgreSQL database: one of them tells subscribers, and another when that one is gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from registry_site import Site
from sqlalchemy import make_url
from test_registry_subscriptions import id_of, receiver, register, subscribe, until

from keytrust.database import make_engine
from keytrust.registry import running
from keytrust.registry.leadership import Leadership


def test_one_of_two_tells_and_the_other_when_it_is_gone(postgres_url: str, tmp_path: Path) -> None:
    made = Site.make(tmp_path, database_url=postgres_url)
    try:
        with receiver() as target, running(made.settings) as second:
            with running(made.settings) as first:
                one = replace(made, url=first)
                assert subscribe(one, target.url).status_code == 201
                register(one, 1)
                until(target.changed)
                alice, bob = id_of(one, "alice"), id_of(one, "bob")
            other = replace(made, url=second)
            register(other, 2, "bob")
            until(lambda: bob in target.changed())
            assert set(target.changed()) == {alice, bob}
    finally:
        made.database.close()


def test_it_is_held_by_one_and_passes_on(postgres_url: str) -> None:
    engine = make_engine(make_url(postgres_url))
    try:
        with Leadership(engine, "work") as first:
            assert first.held()
            assert first.held()
            with Leadership(engine, "work") as second, Leadership(engine, "other work") as third:
                assert not second.held()
                assert third.held()
        with Leadership(engine, "work") as second:
            assert second.held()
    finally:
        engine.dispose()


def test_sqlite_has_one_process_which_leads(tmp_path: Path) -> None:
    engine = make_engine(make_url(f"sqlite:///{tmp_path}/x.db"))
    with Leadership(engine, "work") as leadership:
        assert leadership.held()
    engine.dispose()
