"""An authority on loopback that issues whatever a test wants, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from tests.support.tls import TlsFiles

TENANT = "11111111-2222-3333-4444-555555555555"


@dataclass
class Authority:
    """What it answers, and the forms that were posted to it."""

    url: str = ""
    status: int = 200
    error: dict[str, str] = field(default_factory=dict)
    lifetime: int = 3600
    forms: list[dict[str, str]] = field(default_factory=list)

    def answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """To a token request."""
        self.forms.append(form)
        if self.status != 200:
            return self.status, self.error
        token = f"issued-{len(self.forms)}"
        times = {"expires_in": self.lifetime, "expires_on": str(int(time.time()) + self.lifetime)}
        return 200, {"token_type": "Bearer", "resource": form.get("resource", ""), "access_token": token, **times}


@contextmanager
def authority(tls: TlsFiles | None) -> Iterator[Authority]:
    """Serve an authority, or without TLS the endpoint of a managed identity."""
    state = Authority()

    class Handler(BaseHTTPRequestHandler):
        timeout = 20

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path.endswith("/.well-known/openid-configuration"):
                base = f"{state.url}/{TENANT}"
                names = {"authorization_endpoint": "authorize", "token_endpoint": "token"}
                document = {name: f"{base}/oauth2/v2.0/{place}" for name, place in names.items()}
                self._send(200, {**document, "issuer": f"{base}/v2.0"})
            else:
                self._send(*state.answer({name: values[0] for name, values in parse_qs(query).items()}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(*state.answer({name: values[0] for name, values in parse_qs(body).items()}))

        def _send(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
