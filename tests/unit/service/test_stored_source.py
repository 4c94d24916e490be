"""What the service knows of registered keys, for an audit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.support.world import cloud_user, key

from keytrust.cloud.source import Unknown
from keytrust.database import writing
from keytrust.errors import StoreError
from keytrust.service.mirror import Mirror
from keytrust.service.stored_source import StoredSource
from keytrust.store.database import open_store

USERS = [cloud_user("alice", (key(1), key(2))), cloud_user("bob", Unknown("not told"))]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield engine
    engine.dispose()


def known(store: Engine, number: int = 1, rebuilt: str | None = "2026-01-02T03:04:05+00:00") -> None:
    with writing(store) as connection:
        mirror = Mirror.open(connection, domain_sid=f"S-1-5-21-{number}", name=f"d{number}.example", source="cloud")
        mirror.put_users(connection, [*USERS, cloud_user("gone", (key(3),))], 1)
        mirror.drop_users(connection, ["id-gone"], 1)
        mirror.save(connection, rebuilt=rebuilt)


def test_what_is_known_comes_back_and_who_is_gone_does_not(store: Engine) -> None:
    known(store)
    source = StoredSource(store)
    assert sorted(source.read(), key=lambda user: user.id) == USERS
    assert "2026-01-02T03:04" in source.name


def test_a_domain_is_told_by_name_or_sid(store: Engine) -> None:
    known(store)
    known(store, 2)
    for name in ("D2.example", "S-1-5-21-2"):
        assert len(list(StoredSource(store, name).read())) == 2
    with pytest.raises(StoreError, match="not clear for whom"):
        StoredSource(store)
    with pytest.raises(StoreError, match=r"d3\.example"):
        StoredSource(store, "d3.example")


def test_half_a_mirror_and_none_at_all_accuse_nobody(store: Engine) -> None:
    with pytest.raises(StoreError, match="none"):
        StoredSource(store, "d1.example")
    known(store, rebuilt=None)
    with pytest.raises(StoreError, match="has not read everything"):
        StoredSource(store)
