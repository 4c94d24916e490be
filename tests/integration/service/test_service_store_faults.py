"""``keytrust run`` when its store fails: what cannot be journaled is not sent, and it goes on by itself later."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.support.postgres import postgres_server
from tests.support.running import RunningService

from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(os.urandom(4096))
            except OSError:
                return filler


def _verified(url: str) -> int:
    with closing(_Store(url)) as store:
        return Journal(store.engine).verify()[0]


class _Store:
    def __init__(self, url: str) -> None:
        self.engine: Engine = open_store(url)

    def close(self) -> None:
        self.engine.dispose()


def test_a_full_disk_stops_the_writing_and_nothing_else(
    lab: Lab, tmp_path: Path, small_disk: Path, make_user: MakeUser
) -> None:
    with RunningService.beside_a_registry(lab, tmp_path, f"sqlite:///{small_disk}/keytrust.db") as service:
        first, second = make_user(), make_user()
        service.enrol(first, second)
        service.start()
        service.register(first)
        service.await_values(first, 1)
        filler = _fill(small_disk)
        with service.told_anew("feed-failed") as told:
            service.register(second)
        assert f"{small_disk}/keytrust.db" in told[0]["sentence"]
        assert "Check the disk's free space" in told[0]["sentence"]
        assert len(service.account(second).values) == 0
        filler.unlink()
        service.await_values(second, 1)
        assert service.events("set-aside") == []
        assert service.stop() == 0
        assert _verified(service.store) >= 4


def test_a_database_server_that_is_gone_for_a_while_costs_a_delay_and_no_key(
    lab: Lab, tmp_path: Path, make_user: MakeUser
) -> None:
    with (
        postgres_server() as server,
        server.database() as url,
        RunningService.beside_a_registry(lab, tmp_path, url) as service,
    ):
        first, second = make_user(), make_user()
        service.enrol(first, second)
        service.start()
        service.register(first)
        service.await_values(first, 1)
        server.stop()
        try:
            with service.told_anew("feed-failed") as told:
                service.register(second)
            assert "Check the disk's free space" in told[0]["sentence"]
            assert "or the database server" in told[0]["sentence"]
            service.await_event("lease-lost")
            assert len(service.account(second).values) == 0
        finally:
            server.start()
        service.await_values(second, 1)
        assert service.events("internal fault") == []
        service.eventually(lambda: _verified(url) >= 4, "the outcome of both changes in the journal")
        assert service.stop() == 0


def test_told_to_stop_while_the_database_server_is_gone_it_stops(lab: Lab, tmp_path: Path) -> None:
    with (
        postgres_server() as server,
        server.database() as url,
        RunningService.beside_a_registry(lab, tmp_path, url) as service,
    ):
        service.start()
        server.stop()
        try:
            service.await_event("feed-failed")
            assert service.stop() == 0
        finally:
            server.start()
