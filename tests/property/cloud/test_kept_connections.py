"""One who polls keeps connections, and notices when they are no good any more."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest
from scripted_graph import Answer, FixedToken, Request, page, patient, scripted
from tests.support.tls import make_tls

from keytrust.cloud.connections import KEPT_SECONDS, Connections
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.limits import Limits
from keytrust.errors import CloudError


def nothing_new(*_: object) -> Answer:
    return page([], **{"@odata.deltaLink": "/beta/users/delta?$deltatoken=next"})


def polls(source: GraphSource, root: str, times: int = 3) -> None:
    for _ in range(times):
        source.changes(f"{root}/beta/users/delta?$deltatoken=old")


def test_polls_share_a_connection_while_they_are_told_to_and_else_have_one_each() -> None:
    with scripted(nothing_new) as (root, seen):
        source = GraphSource(root, FixedToken(), retry=patient())
        with source.connected():
            polls(source, root)
        assert len({request.port for request in seen}) == 1
        polls(source, root)
        assert len({request.port for request in seen}) == 4


@pytest.mark.parametrize("how", ["it says so", "without a word"])
def test_a_connection_that_the_service_closed_is_replaced_without_a_pause(how: str) -> None:
    def script(request: Request, number: int) -> Answer:
        answer = nothing_new()
        return Answer(answer.body, headers={"Connection": "close"} if how == "it says so" else {}, close=True)

    waits: list[float] = []
    with scripted(script) as (root, seen):
        source = GraphSource(root, FixedToken(), retry=patient(waits))
        with source.connected():
            polls(source, root)
    assert len({request.port for request in seen}) == 3
    assert waits == []


def test_a_service_that_breaks_off_every_answer_is_given_up_all_the_same() -> None:
    waits: list[float] = []
    with scripted(lambda *_: Answer(cut=-1)) as (root, seen):
        source = GraphSource(root, FixedToken(), retry=patient(waits))
        with source.connected(), pytest.raises(CloudError, match="broke off"):
            polls(source, root, 1)
    assert len(seen) == 5
    assert len(waits) == 3


def test_after_a_while_a_kept_connection_is_made_anew() -> None:
    clock = [0.0]
    with scripted(nothing_new) as (root, seen):
        connections = Connections(httpx.URL(root), ca_file=None, limits=Limits(), now=lambda: clock[0])
        with connections.kept():
            for clock[0] in (0.0, KEPT_SECONDS, KEPT_SECONDS + 1, KEPT_SECONDS + 2):
                with connections.client() as client:
                    client.get(root)
    ports = [request.port for request in seen]
    assert ports[0] == ports[1] != ports[2] == ports[3]


def test_other_authorities_count_for_the_next_read_and_do_not_disturb_one_under_way(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = make_tls(tmp_path / "first"), make_tls(tmp_path / "second")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(first.certificate, first.key)
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(first.ca.read_bytes())
    with scripted(nothing_new, server) as (root, seen):
        url = httpx.URL(root)
        connections = Connections(url, ca_file=trusted, limits=Limits())
        with connections.kept(), connections.client() as under_way:
            under_way.get(url)
            second.ca.replace(trusted)
            with connections.client() as later, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                later.get(url)
            under_way.get(url)
        assert under_way.is_closed
        assert later.is_closed
    assert len(seen) == 2


def test_cookies_are_not_kept() -> None:
    def script(request: Request, number: int) -> Answer:
        return Answer(nothing_new().body, headers={"Set-Cookie": f"name{number}=value; Path=/"})

    with scripted(script) as (root, seen):
        source = GraphSource(root, FixedToken(), retry=patient())
        with source.connected():
            polls(source, root)
    assert [request.cookie for request in seen] == [None] * 3
