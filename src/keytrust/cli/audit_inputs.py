"""What ``keytrust audit`` compares with, and where it writes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from keytrust.audit.errors import AuditError
from keytrust.audit.registered import RegisteredKeys
from keytrust.cli.output import counting
from keytrust.cli.wiring import key_source
from keytrust.cloud.file import FileSource
from keytrust.cloud.source import CloudUser, KeySource
from keytrust.config import Settings
from keytrust.service.stored_source import StoredSource
from keytrust.store.database import open_store

CONFIGURED = "config"
"""What ``--cloud`` calls the key source of the configuration."""
STORE = "store"
"""What it calls that which keytrust run knows, in the store of the configuration."""
NOTHING = "none"
"""What ``--cloud`` says to compare with nothing."""

Through = Callable[[Iterable[CloudUser]], Iterable[CloudUser]]


def chosen_source(cloud: str | None, read_settings: Callable[[], Settings], domain: str | None) -> KeySource | None:
    """The key source that ``--cloud`` names; for a live domain, by default that of the configuration if it has one.

    Args:
        cloud: What was given.
        read_settings: Reads the configuration, where it is needed.
        domain: The live domain; None for a dump.

    Raises:
        ConfigError: the configuration is asked for its key source and has none.
        StoreError: the store is asked, and does not know what is registered.
    """
    if cloud == NOTHING:
        return None
    if cloud == CONFIGURED:
        return key_source(read_settings().need_cloud())
    if cloud == STORE:
        return StoredSource(open_store(read_settings().store.url), domain)
    if cloud is not None:
        return FileSource(Path(cloud))
    if domain is not None and (settings := read_settings().cloud) is not None:
        return key_source(settings)
    return None


def read_registered(source: KeySource, through: Through = lambda users: users) -> RegisteredKeys:
    """Read all registered keys, with progress.

    Raises:
        CloudError: they could not all be read.
    """
    with counting("cloud users") as (progress,):
        return RegisteredKeys(through(source.read(progress)))


@contextmanager
def output(path: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that appears under its name only when it is complete. In UTF-8, wherever it goes.

    Raises:
        AuditError: it cannot be written.
    """
    if path is None:
        if isinstance(sys.stdout, TextIOWrapper):  # a report says itself that it is UTF-8, or is taken for that
            sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        yield sys.stdout
        return
    try:
        with NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8", errors="replace", newline=""
        ) as file:
            # Findings are for the eyes of those who asked: the file keeps the mode 0600 that it was made with.
            try:
                yield file
                file.close()
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise AuditError(f"The report {path} cannot be written: {error.strerror}.") from error
