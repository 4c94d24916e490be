"""Reading 1,000,000 users with a key each: what it costs the connector, whose memory must not grow with them.

The pages are Microsoft Graph's in form and made up as they are asked for, by a server in a process of its own.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from hashlib import shake_256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from bench.result import BenchResult

FEW, MANY, PAGE = 10_000, 1_000_000, 999
TARGET_GROWTH = 32.0


def run() -> list[BenchResult]:
    """Read few and many: what the memory grows by in between is what grows with the population."""
    few, many = _measure(FEW), _measure(MANY)
    growth = many["megabytes"] - few["megabytes"]
    return [
        BenchResult("graph.read_1m_cpu", many["cpu"], "s"),
        BenchResult("graph.read_1m", many["seconds"], "s"),
        BenchResult("graph.read_1m_memory", many["megabytes"], "MB"),
        BenchResult.at_most("graph.memory_growth_10k_to_1m", growth, "MB", TARGET_GROWTH),
    ]


def _measure(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="keytrust-bench-") as directory:
        token = Path(directory) / "token"
        token.write_text("any-token")
        server = subprocess.Popen(
            [sys.executable, "-m", "bench.graph_million", str(count)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            command = [sys.executable, "-m", "bench.graph", url, str(token), str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        finally:
            server.terminate()
            server.wait(30)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _serve(count: int) -> None:
    material = base64.b64encode(b"RSA1" + bytes(279)).decode()

    def user(number: int) -> str:
        anchor = base64.b64encode(number.to_bytes(16, "little")).decode()
        name = UUID(bytes=shake_256(b"user %d" % number).digest(16))
        # One material for all: how the connector fares does not depend on it.
        return (
            f'{{"id":"{name}","userPrincipalName":"user{number}@corp.example","accountEnabled":true,'
            f'"onPremisesImmutableId":"{anchor}","onPremisesSecurityIdentifier":"S-1-5-21-1-2-3-{number}",'
            f'"deviceKeys":[{{"deviceId":"{name}","keyMaterial":"{material}","keyType":"NGC"}}]}}'
        )

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            first = int(parse_qs(urlsplit(self.path).query).get("$skiptoken", ["0"])[0])
            last = min(first + PAGE, count)
            link = f'"@odata.nextLink":"{url}/beta/users?$skiptoken={last}",' if last < count else ""
            body = f'{{{link}"value":[{",".join(user(number) for number in range(first, last))}]}}'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    print(url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
