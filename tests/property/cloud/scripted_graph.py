"""A Graph server on loopback that does what a script tells it, legal or not."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from keytrust.cloud.retry import RetryPolicy


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. ``cut`` sends only so many bytes of the promised body and hangs up; -1 hangs up at once.

    ``silence``: after so many bytes of the body nothing more comes for as long as the client waits. ``drip``: the body
    comes a byte at a time, with so many seconds in between. ``close``: the connection is closed after the answer.
    """

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    silence: int | None = None
    drip: float | None = None
    close: bool = False


@dataclass
class Request:
    """What the server saw; ``port`` is the client's, another one for each connection."""

    path: str
    authorization: str | None
    body: bytes = b""
    cookie: str | None = None
    port: int = 0


Script = Callable[[Request, int], Answer]
"""From a request and its number (from 0) to the answer."""


def page(users: Sequence[object], next_link: object = None, **more: object) -> Answer:
    """A page of users."""
    link = {} if next_link is None else {"@odata.nextLink": next_link}
    return Answer(json.dumps({"@odata.context": "c", **link, "value": users, **more}).encode())


def user(number: int, *materials: bytes, **more: object) -> dict[str, object]:
    """A user with keys that tell their creation times, as the registry's do."""
    told = {"deviceId": None, "keyType": "NGC", "createdDateTime": "2026-01-01T00:00:00Z"}
    keys = [{**told, "keyMaterial": base64.b64encode(m).decode()} for m in materials]
    return {"id": f"user-{number}", "userPrincipalName": f"user{number}@example.org", "deviceKeys": keys, **more}


class FixedToken:
    """A token provider that counts renewals."""

    def __init__(self) -> None:
        self.renewals = 0

    def token(self) -> str:
        return f"token-{self.renewals}"

    def renew(self) -> str:
        self.renewals += 1
        return self.token()


def patient(waits: list[float] | None = None) -> RetryPolicy:
    """A policy that waits in no time and notes how long it would have been."""
    record = [] if waits is None else waits
    return RetryPolicy(attempts=4, sleep=record.append, jitter=lambda: 0.0)


@contextmanager
def scripted(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[Request]]]:
    """Serve a script; yields the root URL and the list of requests, which grows."""
    seen: list[Request] = []
    lock = threading.Lock()
    waiting = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            request = Request(
                self.path,
                self.headers.get("Authorization"),
                self.rfile.read(length),
                self.headers.get("Cookie"),
                self.client_address[1],
            )
            with lock:
                number = len(seen)
                seen.append(request)
            answer = script(request, number)
            if answer.cut == -1:
                self.close_connection = True
                return
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(answer.body)), **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if answer.silence is not None:
                self.wfile.write(answer.body[: answer.silence])
                self.wfile.flush()
                self.rfile.read(1)  # until the client hangs up
                self.close_connection = True
                return
            for byte in answer.body if answer.drip is not None else b"":
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                waiting.wait(answer.drip)
            if answer.drip is None:
                self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
            self.close_connection = self.close_connection or answer.close or answer.cut is not None

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # idle keep-alive connections would be waited for

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that refuses to go on is what these tests are about."""

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            connection.settimeout(20)
            return (tls.wrap_socket(connection, server_side=True) if tls else connection), address

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
