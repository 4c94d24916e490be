"""The TLS context of every connection to a service by HTTP: always verifying."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from keytrust.errors import ConfigError


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """A verifying TLS context: the system's authorities, or only those of ``ca_file``.

    Raises:
        ConfigError: the file cannot be read or holds no certificate.
    """
    try:
        if ca_file is None:
            paths = ssl.get_default_verify_paths()
            return _context(None, tuple(_state(path) for path in (paths.cafile, paths.capath) if path))
        return _context(str(ca_file), (_state(str(ca_file)),))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the CA file {ca_file} cannot be used: {error.strerror or error}",
            not_done="no connection was made",
            remedy="give a readable file of PEM certificates",
        ) from error


@lru_cache(maxsize=8)
def _context(ca_file: str | None, _states: tuple[object, ...]) -> ssl.SSLContext:
    """Made once while the files of authorities stay as they are: reading them for every poll costs more than the poll.

    By hand, since ssl.create_default_context is replaced, by some libraries for the whole process, with one that
    verifies nothing. A context for clients verifies certificate and name from the start.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(ca_file)
    return context


def _state(path: str) -> tuple[int, int, int]:
    """What changes when a file is written or replaced, or an entry of a folder is."""
    found = Path(path).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
