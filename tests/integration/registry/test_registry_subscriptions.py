"""Subscriptions to change notifications: over HTTP, with receivers that agree, refuse, hang and come back."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from registry_site import DESKTOP, LAPTOP, Site, account, material

from keytrust.registry import import_users, running

STATE = "secret of the subscriber"


@dataclass
class Receiver:
    """Where notifications arrive: what came, and how it answers."""

    url: str = ""
    agrees: bool = True
    status: int = 202
    tokens: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)
    posts: int = 0
    hang: threading.Event | None = None

    def changed(self) -> list[str]:
        return [item["resourceData"]["id"] for item in list(self.items) if "resourceData" in item]

    def events(self) -> list[str]:
        return [item["lifecycleEvent"] for item in list(self.items) if "lifecycleEvent" in item]


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        timeout = 60

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = parse_qs(urlsplit(self.path).query).get("validationToken")
            if state.hang is not None:
                state.hang.wait(60)
            if token is not None:
                state.tokens += 1
                self._send(200, (token[0] if state.agrees else "no").encode())
                return
            state.posts += 1
            if state.status < 300:
                state.items += json.loads(body)["value"]
            self._send(state.status, b"")

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/notify"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        if state.hang is not None:
            state.hang.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def end(seconds: float = 3600.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def subscribe(site: Site, url: str, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    body = {
        "changeType": "updated,deleted",
        "notificationUrl": url,
        "resource": "users",
        "expirationDateTime": end(),
        "clientState": STATE,
        **changes,
    }
    body = {name: value for name, value in body.items() if value is not None}
    return httpx.post(f"{site.url}/v1.0/subscriptions", headers=headers or site.reader(), json=body, timeout=60)


def until(holds: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def id_of(site: Site, name: str) -> str:
    found: str = site.get(f"/v1.0/users/{name}@example.org?$select=id").json()["id"]
    return found


def register(site: Site, number: int, name: str = "alice", device: Any = LAPTOP) -> None:
    assert site.post(material(number), site.device_token(name, device)).status_code == 200


def test_a_registration_is_told_to_who_subscribed_with_their_secret(site: Site) -> None:
    with receiver() as target:
        made = subscribe(site, target.url)
        assert made.status_code == 201, made.text
        assert target.tokens == 1
        subscription = made.json()
        assert subscription["clientState"] is None
        assert target.items == []
        register(site, 1)
        until(lambda: target.items)
    (item,) = target.items
    assert item["subscriptionId"] == subscription["id"]
    assert item["clientState"] == STATE
    assert item["changeType"] == "updated"
    assert item["tenantId"] == str(site.settings.tenant_id)
    assert item["resourceData"]["id"] == id_of(site, "alice")
    assert item["subscriptionExpirationDateTime"] == subscription["expirationDateTime"]


def test_revoking_a_key_and_losing_a_user_are_told_and_only_what_was_asked_for(site: Site) -> None:
    register(site, 1)
    alice, carol = id_of(site, "alice"), id_of(site, "carol")
    with receiver() as updates, receiver() as deletions:
        assert subscribe(site, updates.url, changeType="updated").status_code == 201
        assert subscribe(site, deletions.url, changeType="deleted").status_code == 201
        methods = f"/v1.0/users/{alice}/authentication/windowsHelloForBusinessMethods"
        kid = site.get(methods).json()["value"][0]["id"]
        httpx.delete(f"{site.url}{methods}/{kid}", headers=site.administrator())
        import_users(site.database, [account("alice"), account("bob")], complete=True)
        until(lambda: updates.changed() == [alice] and deletions.changed() == [carol])
    assert deletions.items[0]["changeType"] == "deleted"


def test_many_changes_come_in_few_posts_and_each_user_is_named(site: Site) -> None:
    names = [f"user{number}" for number in range(300)]
    with receiver() as target:
        assert subscribe(site, target.url).status_code == 201
        import_users(site.database, [account(name) for name in names])
        until(lambda: len(set(target.changed())) == 300)
        assert target.posts <= 20


def test_after_too_many_changes_the_subscriber_is_told_that_it_missed_some(site: Site) -> None:
    with receiver() as target:
        target.status = 503
        assert subscribe(site, target.url, lifecycleNotificationUrl=target.url).status_code == 201
        import_users(site.database, [account(f"user{number}") for number in range(1200)])
        until(lambda: target.posts > 0)
        target.status = 202
        until(lambda: target.events() == ["missed"])
        # and from there on it goes on as before
        register(site, 1, "bob")
        until(lambda: id_of(site, "bob") in target.changed())


def test_a_receiver_that_is_down_is_told_later_and_never_delays_a_registration(site: Site) -> None:
    with receiver() as target, receiver() as healthy:
        hung = threading.Event()
        assert subscribe(site, target.url).status_code == 201
        assert subscribe(site, healthy.url).status_code == 201
        target.hang = hung
        # The client gives up after five seconds, the receiver answers no sooner than we let it.
        for number in range(5):
            register(site, number, device=LAPTOP if number % 2 else DESKTOP)
        until(healthy.changed)
        hung.set()
        target.hang = None
        until(target.changed)
    assert set(target.changed()) == {id_of(site, "alice")}


def test_what_could_not_be_told_is_told_after_a_restart(site: Site, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    made = Site.make(tmp_path / "second")
    try:
        with receiver() as target:
            with running(made.settings) as url:
                first = replace(made, url=url)
                assert subscribe(first, target.url).status_code == 201
                register(first, 1)
                until(target.changed)
                target.status = 500
                register(first, 2, "bob")
                bob = id_of(first, "bob")
                until(lambda: target.posts > 1)
            target.status = 202
            with running(made.settings):
                until(lambda: bob in target.changed())
            # What had been told before the restart is not told again: the position was kept.
            assert len(target.changed()) == 2
    finally:
        made.database.close()


def test_subscriptions_are_listed_got_renewed_and_removed_by_their_owner_alone(site: Site) -> None:
    other = {
        "Authorization": "Bearer "
        + site.issuer.reader_token(audience=site.settings.graph_resource, application="another")
    }
    with receiver() as target:
        name = subscribe(site, target.url).json()["id"]
        url = f"{site.url}/v1.0/subscriptions"
        assert [each["id"] for each in httpx.get(url, headers=site.reader()).json()["value"]] == [name]
        assert httpx.get(f"{url}/{name}", headers=site.reader()).json()["notificationUrl"] == target.url
        later = end(7200)
        renewed = httpx.patch(f"{url}/{name}", headers=site.reader(), json={"expirationDateTime": later})
        assert renewed.status_code == 200
        assert renewed.json()["expirationDateTime"][:19] == later[:19]
        assert httpx.post(f"{url}/{name}/reauthorize", headers=site.reader()).status_code == 204
        assert httpx.get(url, headers=other).json()["value"] == []
        for answer in (
            httpx.get(f"{url}/{name}", headers=other),
            httpx.patch(f"{url}/{name}", headers=other, json={"expirationDateTime": later}),
            httpx.delete(f"{url}/{name}", headers=other),
        ):
            assert answer.status_code == 404
        assert httpx.delete(f"{url}/{name}", headers=site.reader()).status_code == 204
        assert httpx.delete(f"{url}/{name}", headers=site.reader()).status_code == 404
        register(site, 1)
        with receiver() as witness:
            assert subscribe(site, witness.url).status_code == 201
            register(site, 2, "bob")
            until(witness.changed)
    assert target.items == []


def test_one_that_nobody_renews_is_warned_of_and_ends(site: Site) -> None:
    with receiver() as target:
        made = subscribe(site, target.url, lifecycleNotificationUrl=target.url, expirationDateTime=end(10))
        assert made.status_code == 201
        until(lambda: target.events() == ["reauthorizationRequired", "subscriptionRemoved"])
        assert all(item["clientState"] == STATE for item in target.items)
        assert site.get("/v1.0/subscriptions").json()["value"] == []


NOT_TO_BE_HAD: list[dict[str, Any]] = [
    {"resource": "groups"},
    {"resource": None},
    {"changeType": "read"},
    {"changeType": None},
    {"expirationDateTime": "soon"},
    {"expirationDateTime": "2001-01-01T00:00:00Z"},
    {"expirationDateTime": "2099-01-01T00:00:00Z"},
    {"clientState": "x" * 300},
    {"clientState": "\u0000"},
    {"includeResourceData": True},
    {"notificationUrl": None},
    {"notificationUrl": 7},
    {"notificationUrl": "ftp://127.0.0.1/"},
    {"notificationUrl": "http://192.0.2.1/"},
    {"notificationUrl": "https://192.0.2.1/"},
    {"notificationUrl": "https://127.0.0.1.example.org/"},
    {"notificationUrl": "https://user:pass@127.0.0.1/"},
    {"notificationUrl": "https://127.0.0.1\\@example.org/"},
    {"notificationUrl": "https://169.254.169.254/latest"},
    {"notificationUrl": "https://[::ffff:169.254.169.254]/"},
    {"notificationUrl": "http://2852039166/"},
    {"notificationUrl": "http://127.0.0.1:99999/"},
    {"notificationUrl": "http://127.0.0.1/" + "x" * 3000},
    {"lifecycleNotificationUrl": "https://example.org/"},
]


def test_what_may_not_be_had_is_refused_before_anybody_is_asked(site: Site) -> None:
    with receiver() as target:
        for changes in NOT_TO_BE_HAD:
            refused = subscribe(site, target.url, **changes)
            assert refused.status_code == 400, (changes, refused.text)
            assert refused.json()["error"]["code"] == "BadRequest", changes
    assert target.tokens == 0


def test_a_receiver_that_does_not_agree_is_not_subscribed(site: Site) -> None:
    with receiver() as target:
        target.agrees = False
        assert subscribe(site, target.url).json()["error"]["code"] == "ValidationError"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        assert subscribe(site, closed).json()["error"]["code"] == "ValidationError"
    assert site.get("/v1.0/subscriptions").json()["value"] == []


def test_a_redirect_is_not_followed(site: Site) -> None:
    with receiver() as target:
        assert subscribe(site, target.url).status_code == 201
        target.status = 302
        register(site, 1)
        until(lambda: target.posts > 0)
        target.status = 202
        until(target.changed)


def test_nobody_subscribes_without_the_role_or_without_bound(site: Site) -> None:
    with receiver() as target:
        assert subscribe(site, target.url, headers={"Authorization": "Bearer none"}).status_code == 401
        answers = [subscribe(site, target.url).status_code for _ in range(22)]
    assert answers == [201] * 20 + [403] * 2


def test_bodies_that_are_none_are_refused(site: Site) -> None:
    for body in (b"", b"[]", b"{", b'{"resource":"users"}', b"x" * 100_000):
        answer = httpx.post(f"{site.url}/beta/subscriptions", headers=site.reader(), content=body)
        assert answer.status_code == 400, answer.text
