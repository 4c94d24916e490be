"""Opening the store, and turning a database's faults into ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from keytrust.database import UnknownVersionError, make_engine, migrate
from keytrust.errors import StoreError
from keytrust.store import mirror_tables  # noqa: F401 - its tables are in the same metadata
from keytrust.store.tables import HEAD

NOT_DONE = "Nothing was changed in the directory: no change is made that cannot be journaled first."


def open_store(url: str, migrated: Callable[[str, str], None] = lambda _before, _now: None) -> Engine:
    """Open the store at a SQLAlchemy URL, creating the database file and its tables if need be.

    ``migrated`` is told the version that the tables had (empty when there were none) and have now, when that changes.

    Raises:
        StoreError: it cannot be opened; says why.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(
            f"The store URL is not understood: {url}.", not_done=NOT_DONE, remedy="Use sqlite:////path/to/keytrust.db."
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
        _private_file(Path(parsed.database))
    engine = make_engine(parsed)
    with store_faults(engine):
        try:
            before = migrate(engine, "keytrust.store", HEAD)
        except UnknownVersionError as error:
            raise StoreError(
                f"The store {engine.url.render_as_string(hide_password=True)} was made by a newer keytrust"
                f" (its tables have version {error}, this program knows {HEAD}).",
                not_done=NOT_DONE,
                remedy="Run the newer version, or restore the backup that was made before the upgrade.",
            ) from error
    if before is not None:
        migrated(before, HEAD)
    return engine


@contextmanager
def opened_store(url: str) -> Iterator[Engine]:
    """The store at a URL, as ``open_store``, closed at the end of the block."""
    store = open_store(url)
    try:
        yield store
    finally:
        store.dispose()


@contextmanager
def store_faults(engine: Engine) -> Iterator[None]:
    """Report whatever the database says within as a ``StoreError``."""
    try:
        yield
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error)
        raise StoreError(
            f"The store {engine.url.render_as_string(hide_password=True)} failed: {said}.",
            not_done=NOT_DONE,
            remedy="Check the disk's free space, the file's owner and mode, or the database server.",
            detail=str(error),
        ) from error


def _private_file(path: Path) -> None:
    """Create the database file for its owner only: it holds the raw values and the history of a tier 0 service."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"The store {path} cannot be opened: {error.strerror}.",
            not_done=NOT_DONE,
            remedy="Check url in [store], and the folder's owner and mode.",
        ) from error
