"""A PostgreSQL server of the tests' own: in a temporary directory, on a Unix socket, gone afterwards."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER = "postgres"
"""Debian's account for it: the server refuses to run as root."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server.

    Attributes:
        folder: Its data, log and socket.
    """

    folder: Path

    @contextmanager
    def database(self) -> Iterator[str]:
        """A new, empty database; yields its SQLAlchemy URL."""
        name = f"t{secrets.token_hex(6)}"
        self._sql(f"CREATE DATABASE {name}")
        try:
            yield f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"
        finally:
            self._sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def stop(self) -> None:
        """Stop it as a crash would: connections are cut, what was committed stays."""
        self._pg_ctl("stop", "--mode=immediate")

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c max_connections=60"
        self._pg_ctl("start", f"--log={self.folder}/log", f"--options={options}")

    def _pg_ctl(self, *arguments: str) -> None:
        _as_postgres(str(_programs() / "pg_ctl"), f"--pgdata={self.folder}/data", "--wait", "--silent", *arguments)

    def _sql(self, statement: str) -> None:
        _as_postgres("psql", f"--host={self.folder}", f"--username={USER}", "--quiet", "-c", statement)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A new server. Needs root and Debian's package ``postgresql``."""
    folder = Path(tempfile.mkdtemp(prefix="keytrust-postgres-"))
    shutil.chown(folder, USER)
    server = PostgresServer(folder)
    try:
        _as_postgres(
            str(_programs() / "initdb"), f"--pgdata={folder}/data", "--auth=trust", "--encoding=UTF8", "--no-sync"
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def _as_postgres(*command: str) -> None:
    done = subprocess.run(
        ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *command],
        stdout=subprocess.PIPE if command[0].endswith("initdb") else subprocess.DEVNULL,
        stderr=subprocess.STDOUT if command[0].endswith("initdb") else None,
        text=True,
        cwd="/",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} failed: {done.stdout or ''}"
