"""Alerts reach a person's systems signed and once, and never make the service wait."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.support.world import account

from keytrust.alerts.alert import MOST_REMEMBERED, Alert, Gate
from keytrust.alerts.dispatcher import QUEUE, Dispatcher, alerting
from keytrust.alerts.settings import DEFAULT_KINDS, AlertSettings
from keytrust.alerts.syslog import Syslog, message
from keytrust.alerts.webhook import Webhook, read_secret, signature
from keytrust.errors import ConfigError
from keytrust.service.events import Event, EventKind
from keytrust.sync.model import AccountRef

PATIENCE = 30.0
SECRET = b"0123456789abcdef"
ALICE = AccountRef.of(account("alice"))


def conflict(name: str = "alice", **data: object) -> Event:
    ref = AccountRef.of(account(name))
    return Event(EventKind.CONFLICT, "corp.example", f"{name}: the SID differs.", ref, {"code": "sid-differs"} | data)


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- which are told -------------------------------------------------------------------------------------------------


def test_the_same_thing_is_told_once_an_hour_with_how_often_it_happened() -> None:
    gate = Gate(DEFAULT_KINDS, 3600)
    told = [gate.pass_on(conflict(), now) for now in (0.0, 1.0, 3599.0, 3600.0, 3601.0)]
    assert [alert and alert.repeated for alert in told] == [0, None, None, 2, None]


def test_different_accounts_codes_keys_and_domains_are_different_things() -> None:
    gate = Gate(DEFAULT_KINDS, 3600)
    events = [conflict(), conflict("bob"), conflict(code="privileged"), conflict(keyId="aa"), conflict(keyId="bb")]
    assert all(gate.pass_on(event, 0.0) for event in events)
    assert gate.pass_on(Event(EventKind.WRITTEN, "d", ""), 0.0) is None


def test_what_is_remembered_is_bounded() -> None:
    gate = Gate(DEFAULT_KINDS, 3600)
    for number in range(MOST_REMEMBERED + 10):
        gate.pass_on(conflict(keyId=str(number)), 0.0)
    assert len(gate._told) == MOST_REMEMBERED


# -- webhook ----------------------------------------------------------------------------------------------------------


class Receiver:
    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[tuple[str, bytes]] = []
        self.url = ""


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    receiver = Receiver(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.headers["Keytrust-Signature"], body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_webhook_gets_a_signed_body_that_says_what_who_and_where(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    listeners: list[Callable[[Event], None]] = []
    with receiving() as receiver:
        settings = AlertSettings(webhook_url=receiver.url, webhook_secret_file=tmp_path / "secret")
        with alerting(settings, listeners.append):
            listeners[0](conflict())
            listeners[0](conflict())
            eventually(lambda: receiver.got)
    ((header, body),) = receiver.got
    found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", header)
    assert found
    assert hmac.new(SECRET, found[1].encode() + b"." + body, hashlib.sha256).hexdigest() == found[2]
    told = json.loads(body)
    assert (told["kind"], told["domain"], told["account"]["name"]) == ("conflict", "corp.example", "alice")
    assert told["data"] == {"code": "sid-differs"}
    assert signature(SECRET, int(found[1]), body + b" ") != header


def test_an_alert_that_is_refused_is_tried_again_and_a_redirect_is_not_followed() -> None:
    with receiving(503, 302, 200) as receiver:
        channel = Webhook(receiver.url, SECRET, "here")
        dispatcher = Dispatcher(Gate(DEFAULT_KINDS, 3600), [channel], pause=0.01)
        dispatcher.start()
        dispatcher(conflict())
        eventually(lambda: len(receiver.got) == 3)
        dispatcher.stop()
    assert dispatcher.dropped == 0


def test_a_receiver_that_hangs_never_makes_the_service_wait() -> None:
    released = threading.Event()

    class Hanging:
        name = "hanging"

        def deliver(self, alert: Alert) -> str:
            released.wait(PATIENCE)
            return ""

        def close(self) -> None: ...

    dispatcher = Dispatcher(Gate(DEFAULT_KINDS, 3600), [Hanging()])
    dispatcher.start()
    for number in range(QUEUE + 50):
        dispatcher(conflict(keyId=str(number)))
    assert dispatcher.dropped >= 49, "the queue is bounded, and what found no place is counted"
    released.set()
    dispatcher.stop()


def test_a_fault_in_a_channel_ends_neither_the_telling_nor_the_service() -> None:
    got: list[Alert] = []

    class Faulty:
        name = "faulty"

        def deliver(self, alert: Alert) -> str:
            got.append(alert)
            if len(got) == 1:
                raise ValueError("oh")
            return ""

        def close(self) -> None: ...

    dispatcher = Dispatcher(Gate(DEFAULT_KINDS, 3600), [Faulty()], pause=0.01)
    dispatcher.start()
    dispatcher(conflict())
    eventually(lambda: len(got) == 2)
    dispatcher.stop()


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_secret_that_is_missing_or_too_short_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content:
        file.write_bytes(content)
    with pytest.raises(ConfigError):
        read_secret(file)


# -- syslog -----------------------------------------------------------------------------------------------------------

RFC5424 = re.compile(
    rb"<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z (\S{1,255}) keytrust (\d+) (\S{1,32}) "
    rb'\[keytrust@32473(?: [^\s="\]]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\] \xef\xbb\xbf[^\x00-\x1f]*'
)


@pytest.mark.parametrize("name", ["alice", 'o"neil ]\\', "line\nbreak\u2028", "x" * 3000, "ü" * 1500])
def test_a_message_is_rfc_5424_whatever_the_names_are(name: str) -> None:
    event = Event(EventKind.CONFLICT, "corp.example", f"{name}: bad", AccountRef(b"g" * 16, f"CN={name}", "S-1", name))
    text = message(Alert(event), "host", 7)
    assert RFC5424.fullmatch(text), text
    assert len(text) <= 2048
    text.decode("utf-8")


def test_the_worst_is_the_loudest() -> None:
    planted = message(Alert(Event(EventKind.UNEXPECTED_VALUE, "d", "")), "h", 1)
    other = message(Alert(Event(EventKind.CONFLICT, "d", "")), "h", 1)
    assert planted.startswith(b"<82>1 ")  # authpriv.crit
    assert other.startswith(b"<84>1 ")  # authpriv.warning


def test_udp_and_the_local_socket_get_one_datagram_each(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as remote,
    ):
        local.bind(path)
        remote.bind(("127.0.0.1", 0))
        for receiver, channel in (
            (local, Syslog("unix", path, 0)),
            (remote, Syslog("udp", "127.0.0.1", remote.getsockname()[1])),
        ):
            receiver.settimeout(PATIENCE)
            assert channel.deliver(Alert(conflict())) == ""
            assert RFC5424.fullmatch(receiver.recv(4096))
            channel.close()


def test_tcp_counts_octets_and_connects_anew_when_the_receiver_was_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        channel = Syslog("tcp", "127.0.0.1", server.getsockname()[1])
        for _ in range(2):
            assert channel.deliver(Alert(conflict())) == ""
            connection, _ = server.accept()
            with connection:
                length, _, text = connection.recv(65536).partition(b" ")
                assert int(length) == len(text)
                assert RFC5424.fullmatch(text)
            eventually(lambda: channel._connection is not None and _readable(channel._connection))
    assert channel.deliver(Alert(conflict())) != ""
    channel.close()


def _readable(connection: socket.socket) -> bool:
    import select

    return bool(select.select([connection], [], [], 0)[0])


def test_nobody_at_the_local_socket_is_a_fault_and_no_exception(tmp_path: Path) -> None:
    assert Syslog("unix", str(tmp_path / "nowhere"), 0).deliver(Alert(conflict()))


@pytest.mark.parametrize(
    "fields",
    [
        {"webhook_url": "https://x.example/"},
        {"webhook_url": "http://x.example/", "webhook_secret_file": "s"},
        {"webhook_url": "https://user:pw@x.example/", "webhook_secret_file": "s"},
        {"syslog": "udp:host"},
        {"syslog": "unix:relative"},
        {"syslog": "http:host:1"},
    ],
)
def test_settings_that_would_leak_or_go_nowhere_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AlertSettings.model_validate(fields)
