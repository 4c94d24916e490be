"""Labs for the integration tests. A lab that cannot start fails the tests that need it; nothing is skipped."""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.postgres import PostgresServer, postgres_server

from keytrust.errors import LabError
from keytrust.lab import Lab, LabSpec, LabUser
from keytrust.lab.hosts import HOSTS

MakeUser = Callable[..., LabUser]

# Checkouts whose labs differ are kept apart by giving each a number, and so are the workers of a session, which run
# tests at the same time: a service that one starts keeps the whole domain in step, not the accounts of its test alone.
# Beside them a demo's lab, of another name and address, can run.
_NUMBER = int(os.environ.get("KEYTRUST_TEST_LAB", "0"))
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_LETTER = "" if _WORKER == 0 else chr(ord("a") + _WORKER)
_SHARED = LabSpec(
    name=f"test{_NUMBER or ''}{_LETTER}",
    realm=f"TEST{_NUMBER or ''}{_LETTER.upper()}.EXAMPLE",
    netbios=f"TEST{_NUMBER or ''}{_LETTER.upper()}",
    address=f"127.20.{_NUMBER}.{_WORKER + 1}",
)


def _report(line: str) -> None:
    print(f"lab: {line}", flush=True)


def _down(lab: Lab) -> None:
    if os.environ.get("KEYTRUST_KEEP_LAB") != "1":
        lab.down(_report)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A running lab that all tests of a worker share. No test may stop it or change what other tests see."""
    # Sessions at the same time share it too: each holds a shared lock on this file, the last one takes it down.
    handle = os.open(
        Path(tempfile.gettempdir()) / f"keytrust-tests-{_SHARED.name}.lock", os.O_RDONLY | os.O_CREAT, 0o600
    )
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        shared = Lab(_SHARED)
        try:
            shared.up(_report)
            yield shared
        finally:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                _down(shared)
    finally:
        os.close(handle)


@pytest.fixture(scope="session")
def _own_lab() -> Iterator[Lab]:
    process = os.getpid()
    own = Lab(
        LabSpec(
            name=f"own-{process}",
            realm=f"OWN{process}.EXAMPLE",
            netbios=f"OWN{process}",
            address=f"127.21.{process // 250 % 250}.{process % 250 + 1}",
        )
    )
    try:
        yield own
    finally:
        own.down(_report)


@pytest.fixture
def breakable_lab(_own_lab: Lab) -> Lab:
    """A running lab of this session alone, for tests that stop, freeze or damage it; whole again for the next test."""
    if _own_lab.status().phase == "paused":
        _own_lab.resume_dc()
    _own_lab.up(_report)
    return _own_lab


@pytest.fixture(scope="session")
def _own_pair() -> Iterator[Lab]:
    process = os.getpid()
    kept = os.environ.get("KEYTRUST_KEEP_LAB") == "1"
    # Two addresses each: those of two sessions at the same time must not overlap.
    own = Lab(
        LabSpec(
            name=f"pair{_NUMBER}" if kept else f"pair-{process}",
            realm=f"PAIR{_NUMBER}.EXAMPLE" if kept else f"PAIR{process}.EXAMPLE",
            netbios=f"PAIR{_NUMBER}" if kept else f"PAIR{process}",
            address=f"127.24.{_NUMBER}.1" if kept else f"127.22.{process // 120 % 250}.{2 * (process % 120) + 1}",
        )
    )
    try:
        yield own
    finally:
        _down(own)
    if not kept:
        for spec in (own.spec, own.spec.second):
            assert not spec.root.exists()
            assert spec.domain not in HOSTS.read_text(encoding="utf-8")


@pytest.fixture
def pair_lab(_own_pair: Lab) -> Lab:
    """A running lab of this session alone, of two domain controllers that replicate, and a second domain beside it.

    ``pair_lab.dc(2)`` is the second controller, ``pair_lab.second`` the second domain; each has ``stop_dc``,
    ``start_dc``, ``pause_dc``, ``resume_dc``, and is whole again for the next test. All this takes half a minute to
    make, once a session.
    """
    for lab in (_own_pair, _own_pair.dc(2), _own_pair.second):
        if lab.status().phase == "paused":
            lab.resume_dc()
    _own_pair.up(_report, dcs=2, second_domain=True)
    return _own_pair


@pytest.fixture
def make_user(lab: Lab) -> Iterator[MakeUser]:
    """Makes users of unique names in the shared lab, ``make_user(disabled=True)``, and removes them after the test."""
    made: list[LabUser] = []

    def make(**fields: Any) -> LabUser:
        user = LabUser(sam=fields.pop("sam", f"u-{secrets.token_hex(6)}"), **fields)
        lab.add_users([user])
        made.append(user)
        return user

    yield make
    for user in made:
        try:
            lab.delete_users([user])
        except LabError as error:
            if "No such object" not in error.detail:  # the test itself may have removed it
                raise


@pytest.fixture
def connector_config(lab: Lab) -> Path:
    """The ``keytrust.toml`` of the shared lab."""
    return lab.spec.config


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this session."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
