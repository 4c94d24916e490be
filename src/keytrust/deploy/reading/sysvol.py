"""Files of SYSVOL, read over SMB by Samba's ``smbclient``, signed in as the connector account and signed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from keytrust.deploy.checks.facts import Unread
from keytrust.directory.connection import needs_ticket
from keytrust.directory.kerberos import environment, ticket_cache
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import KeytrustError
from keytrust.private_folder import private_folder

MAX_BYTES = 4 * 2**20
"""Of one file; group policies of thousands of settings are smaller."""
_PER_RUN = 100
_SAFE = re.compile(r"[\w.{} \\-]+")
_STATUS = re.compile(r"(NT_STATUS_\w+)(?: opening remote file (.*))?")


def read_files(
    settings: DirectorySettings, host: str, paths: Sequence[str], timeout: float
) -> dict[str, bytes | Unread]:
    """Read files of a domain controller's SYSVOL.

    Args:
        settings: Whom to sign in as.
        host: The domain controller.
        paths: Below the share, with backslashes.
        timeout: Seconds for the whole.
    """
    good = [path for path in paths if _SAFE.fullmatch(path)]
    found: dict[str, bytes | Unread] = {
        path: Unread("its path is unusual, and not read") for path in paths if path not in good
    }
    if not good:
        return found
    if not needs_ticket(settings):
        return found | dict.fromkeys(good, Unread("SYSVOL is only read where signing in goes by Kerberos"))
    try:
        with ticket_cache(settings, (host,)) as cache, private_folder("sysvol") as folder:
            for part in _parts(good):
                found |= _read(settings, cache, host, part, folder, timeout)
    except KeytrustError as error:
        return found | dict.fromkeys(good, Unread(error.message))
    except OSError as error:
        return found | dict.fromkeys(good, Unread(str(error)))
    return found


def _parts(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _PER_RUN):
        yield paths[start : start + _PER_RUN]


def _read(
    settings: DirectorySettings, cache: Path, host: str, paths: Sequence[str], folder: Path, timeout: float
) -> dict[str, bytes | Unread]:
    places = {path: folder / f"{number}.pol" for number, path in enumerate(paths)}
    command = [
        "smbclient",
        f"//{host}/sysvol",
        "--use-kerberos=required",
        "--client-protection=sign",  # what these files say is believed
        "--no-pass",
        "--configfile=/dev/null",
        "-c",
        "; ".join(f'get "{path}" "{place}"' for path, place in places.items()),
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env={**os.environ, **environment(settings, cache, host)},
            check=False,
        )
    except FileNotFoundError:
        return dict.fromkeys(paths, Unread("reading SYSVOL takes the program smbclient, which is not installed"))
    except subprocess.TimeoutExpired:
        return dict.fromkeys(paths, Unread(f"SYSVOL of {host} was not read within {timeout:g} s"))
    return dict(_outcomes(places, f"{done.stdout}\n{done.stderr}", host))


def _outcomes(places: dict[str, Path], said: str, host: str) -> Iterator[tuple[str, bytes | Unread]]:
    told = [(status, path.strip().lower()) for status, path in _STATUS.findall(said)]
    for path, place in places.items():
        if place.exists():
            content = place.read_bytes() if place.stat().st_size <= MAX_BYTES else None
            place.unlink()
            yield path, Unread(f"it has more than {MAX_BYTES // 2**20} MiB") if content is None else content
            continue
        own = [status for status, named in told if named.lstrip("\\") == path.lower()]
        general = [status for status, named in told if not named]
        why = next(iter(own + general), "") or next(iter(said.split("\n")), "") or "no reason was given"
        yield path, Unread(f"{host} does not let its file in SYSVOL be read: {why}")
