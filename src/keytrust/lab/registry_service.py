"""The lab's key registration service: a process of its own that goes on when the command that started it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from keytrust.config import load
from keytrust.errors import LabError
from keytrust.lab.spec import REGISTRY_ISSUER, LabSpec
from keytrust.registry.issuer import Issuer

_PATIENCE = 30.0
_TOKEN_LIFETIME = 30 * 86400.0
_MARK = "KEYTRUST_LAB_REGISTRY"
"""Environment variable by which a process is known to be this lab's registry: a pid alone could be anybody's by now."""


def start(spec: LabSpec, report: Callable[[str], None]) -> None:
    """Have the lab's registry running, and a token to read it with in the file that the configuration names.

    Raises:
        LabError: it died or did not answer in time.
    """
    settings = load(spec.config).need_registry()
    token = issuer(spec).reader_token(audience=settings.graph_resource, lifetime=_TOKEN_LIFETIME)
    write_secret(spec.registry_token, token)
    if running_pid(spec) is not None and _answers(spec):
        report(f"the registry is up already: {spec.registry_url}")
        return
    stop(spec)
    log = spec.root / "registry.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "keytrust", "registry", "serve", "--config", str(spec.config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, _MARK: str(spec.root)},
        )
    spec.registry_pid_file.write_text(str(process.pid), encoding="ascii")
    deadline = time.monotonic() + _PATIENCE
    while not _answers(spec):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(spec)
            raise LabError(
                f"The lab's registry did not come up at {spec.registry_url}.",
                not_done="The domain controller is up, the registry is not.",
                remedy=f"Read {log}.",
                detail=log.read_text(encoding="utf-8", errors="replace")[-2000:],
            )
        time.sleep(0.05)
    report(f"the registry is up: {spec.registry_url}")


def stop(spec: LabSpec) -> None:
    """Stop the lab's registry; fine when it does not run."""
    pid = running_pid(spec)
    deadline = time.monotonic() + _PATIENCE
    while pid is not None:
        number = signal.SIGTERM if time.monotonic() < deadline - _PATIENCE / 2 else signal.SIGKILL
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        time.sleep(0.05)
        pid = running_pid(spec) if time.monotonic() < deadline else None
    spec.registry_pid_file.unlink(missing_ok=True)


def running_pid(spec: LabSpec) -> int | None:
    """The id of the lab's registry process, or None when it does not run."""
    try:
        pid = int(spec.registry_pid_file.read_text(encoding="ascii"))
        marks = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # one that we started ourselves and that has ended
    return pid if f"{_MARK}={spec.root}".encode() in marks else None


def issuer(spec: LabSpec) -> Issuer:
    """Who signs the tokens of the lab's devices and programs."""
    return Issuer.open(spec.registry_issuer, name=REGISTRY_ISSUER)


def write_secret(path: Path, content: str) -> None:
    """Write a file that only its owner may read, all or nothing."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    partial.replace(path)


def _answers(spec: LabSpec) -> bool:
    try:
        return httpx.get(f"{spec.registry_url}/readyz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
