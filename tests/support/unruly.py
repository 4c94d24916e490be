"""A key source that has bad moments: a proxy before the registry, which tests tell how to misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

HOPS = {"connection", "transfer-encoding", "content-encoding", "content-length", "date", "server", "keep-alive"}


@dataclass(frozen=True)
class Reply:
    """What a request gets instead of the registry's answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Unruly:
    """How it behaves from now on; set the fields at any time.

    Attributes:
        url: Where it listens.
        reply: Answer this to every request that ``only`` selects.
        silent: Accept requests and do not answer.
        cut: Break off each answer in the middle.
        rewrite: Changes answers, given path and body; of any path.
        only: Which paths other misbehaving is for.
        asked: When each path was asked for, by the monotonic clock.
    """

    url: str = ""
    reply: Reply | None = None
    silent: bool = False
    cut: bool = False
    rewrite: Callable[[str, bytes], bytes] = lambda _, body: body
    only: Callable[[str], bool] = lambda _: True
    asked: list[tuple[float, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def behave(self) -> None:
        """Be the registry again."""
        self.reply, self.silent, self.cut, self.only = None, False, False, lambda _: True


@contextmanager
def unruly(registry: str) -> Iterator[Unruly]:
    """Such a proxy before the registry at this URL."""
    manners = Unruly()
    client = httpx.Client(base_url=registry, trust_env=False, timeout=30)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            manners.asked.append((time.monotonic(), self.path))
            wild = manners.only(self.path)
            while wild and manners.silent and not manners.ended.wait(0.1):
                pass
            if wild and manners.reply is not None:
                self._answer(manners.reply.status, dict(manners.reply.headers), manners.reply.body)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
            try:
                told = client.request(self.command, self.path, headers=headers, content=body)
            except httpx.HTTPError:
                self.close_connection = True
                return
            kept = {name: value for name, value in told.headers.items() if name.lower() not in HOPS}
            self._answer(told.status_code, kept, manners.rewrite(self.path, told.content), cut=wild and manners.cut)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes, *, cut: bool = False) -> None:
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if cut else body)
            except OSError:  # whoever asked has gone
                cut = True
            self.close_connection = self.close_connection or cut

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            return  # whoever asked has gone

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    manners.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield manners
    finally:
        manners.ended.set()
        server.shutdown()
        server.server_close()
        client.close()
