"""The lab's line in the hosts file: GSSAPI and certificates need a name that resolves."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from keytrust.errors import LabError

HOSTS = Path("/etc/hosts")


def _marker(lab: str) -> str:
    return f"# keytrust lab {lab}"


def with_entry(text: str, *, lab: str, address: str, host: str) -> str:
    """The hosts file with exactly one line of this lab, at the end.

    Raises:
        LabError: a line that is not ours gives the host name another address, and would win.
    """
    rest = without_entry(text, lab=lab)
    for line in rest.splitlines():
        fields = line.partition("#")[0].split()
        if host in (name.lower() for name in fields[1:]) and fields[0] != address:
            raise LabError(
                f"The hosts file already gives {host} the address {fields[0]}, not the lab's {address}.",
                not_done="The lab was not started.",
                remedy=f"Remove that line from {HOSTS}, take down the lab it belongs to, or use another realm.",
            )
    if rest and not rest.endswith("\n"):
        rest += "\n"
    return f"{rest}{address} {host} {_marker(lab)}\n"


def without_entry(text: str, *, lab: str) -> str:
    """The hosts file without this lab's lines, every other byte as it was."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.rstrip().endswith(_marker(lab)))


def has_entry(lab: str, path: Path = HOSTS) -> bool:
    """Whether the file has a line of this lab."""
    if not path.exists():
        return False
    return any(line.endswith(_marker(lab)) for line in _decode(path.read_bytes()).splitlines())


def add(*, lab: str, address: str, host: str, path: Path = HOSTS) -> None:
    """Put the lab's line into the hosts file.

    Raises:
        LabError: the name is taken, or the file cannot be written.
    """
    _edit(path, lambda text: with_entry(text, lab=lab, address=address, host=host))


def remove(*, lab: str, path: Path = HOSTS) -> None:
    """Take the lab's line out again.

    Raises:
        LabError: the file cannot be written.
    """
    _edit(path, lambda text: without_entry(text, lab=lab))


def _edit(path: Path, change: Callable[[str], str]) -> None:
    # In place, not by renaming a new file over it: in containers the hosts file is a mount of its own.
    try:
        with path.open("rb+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = file.read()
            after = change(_decode(before)).encode("utf-8", "surrogateescape")
            if after != before:
                os.pwrite(file.fileno(), after, 0)
                os.ftruncate(file.fileno(), len(after))
    except OSError as error:
        raise LabError(
            f"The hosts file {path} cannot be changed: {error.strerror}.",
            remedy="Make it writable; the lab's host name must resolve.",
        ) from error


def _decode(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
