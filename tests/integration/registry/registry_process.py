"""The registry as a process of its own, which a test may kill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import IO

from registry_site import Site

_SERVE = "import sys; from keytrust.registry import *; serve(RegistrySettings.model_validate_json(sys.stdin.read()))"


@contextmanager
def process(site: Site) -> Iterator[tuple[subprocess.Popen[str], Site]]:
    """The registry in a process of its own, ready; killed at the end if it still runs."""
    server = subprocess.Popen([sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stderr is not None
    try:
        server.stdin.write(site.settings.model_dump_json())
        server.stdin.close()
        yield server, replace(site, url=_ready_url(server.stderr))
    finally:
        server.kill()
        server.wait(20)
        server.stderr.close()


def _ready_url(log: IO[str]) -> str:
    for line in log:
        event = json.loads(line)
        if event["event"] == "registry is ready":
            return str(event["url"])
    raise AssertionError("the registry stopped before it was ready")
