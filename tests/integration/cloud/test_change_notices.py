"""From a registration at the registry to a poller that wakes: both halves of change notifications, over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.registry.registry_site import Site, account, material

from keytrust.cloud.graph import GraphSource
from keytrust.cloud.notices import noticing
from keytrust.cloud.settings import NotificationSettings
from keytrust.cloud.tokens import TokenFile
from keytrust.cloud.wakeup import Wakeup
from keytrust.errors import ConfigError
from keytrust.registry import import_users, running

LONG = 60.0
"""Seconds within which something happens that takes milliseconds on a machine that has nothing else to do."""


@contextmanager
def registry(directory: Path) -> Iterator[tuple[Site, GraphSource]]:
    made = Site.make(directory)
    try:
        with running(made.settings) as url:
            token = directory / "token"
            token.write_text(made.issuer.reader_token(audience=made.settings.graph_resource))
            yield replace(made, url=url), GraphSource(url, TokenFile(token))
    finally:
        made.database.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def at(port: int) -> NotificationSettings:
    return NotificationSettings(url=f"http://127.0.0.1:{port}/notify", port=port)


def test_a_registration_wakes_the_poller_which_then_reads_the_key(tmp_path: Path) -> None:
    with registry(tmp_path) as (site, source):
        wakeup = Wakeup()
        cursor = source.changes().cursor
        with noticing(source.subscriptions(), at(free_port()), wakeup.set) as keeper:
            assert wakeup.wait(LONG)  # once, for what changed before anybody listened
            assert keeper.state.subscription is not None
            assert site.post(material(1), site.device_token()).status_code == 200
            assert wakeup.wait(LONG)
            (user,) = source.changes(cursor).users
            assert [key.material for key in user.keys.keys] == [material(1)]
        # Who stops to listen ends the subscription.
        assert source.subscriptions().mine() == []


def test_several_instances_are_each_told(tmp_path: Path) -> None:
    with registry(tmp_path) as (site, source):
        one, two = Wakeup(), Wakeup()
        with (
            noticing(source.subscriptions(), at(free_port()), one.set),
            noticing(source.subscriptions(), at(free_port()), two.set),
        ):
            assert one.wait(LONG)
            assert two.wait(LONG)
            import_users(site.database, [account("dave")])
            assert one.wait(LONG)
            assert two.wait(LONG)


def test_a_service_without_subscriptions_stops_nobody(tmp_path: Path) -> None:
    with registry(tmp_path) as (_, source):
        token = tmp_path / "wrong"
        token.write_text("not-a-token")
        refused = GraphSource(source.name, TokenFile(token)).subscriptions()
        with noticing(refused, at(free_port()), Wakeup().set) as keeper:
            waited = threading.Event()
            for _ in range(int(LONG / 0.01)):
                if keeper.state.fault is not None:
                    break
                waited.wait(0.01)
            assert keeper.state.fault is not None
            assert "401" in keeper.state.fault.message


def test_an_address_that_cannot_be_used_is_an_error_that_says_so(tmp_path: Path) -> None:
    with registry(tmp_path) as (_, source), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = at(taken.getsockname()[1])
        with (
            pytest.raises(ConfigError, match="change notifications cannot listen"),
            noticing(source.subscriptions(), settings, Wakeup().set),
        ):
            pass
        broken = NotificationSettings(
            url="https://localhost/", port=0, certificate=tmp_path / "no", key=tmp_path / "no"
        )
        with (
            pytest.raises(ConfigError, match="and its key cannot be used"),
            noticing(source.subscriptions(), broken, Wakeup().set),
        ):
            pass


def test_an_error_of_the_one_who_listens_stays_what_it_is(tmp_path: Path) -> None:
    with (
        registry(tmp_path) as (_, source),
        pytest.raises(FileNotFoundError),
        noticing(source.subscriptions(), at(free_port()), Wakeup().set),
    ):
        (tmp_path / "nothing").read_text()
