"""What a machine must offer before a lab is built on it, each refusal with its remedy."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path

from keytrust.errors import LabError
from keytrust.lab import tree
from keytrust.lab.spec import LabSpec

PORTS = (53, 88, 135, 389, 464, 636, 3268, 3269)
"""TCP ports that the domain controller binds on the lab's address."""

_ROOM = 1_000_000_000
_PROGRAMS = ("mmdebstrap", "tar", "unshare", "setpriv", "setsid", "mount", "umount", "chroot", "kinit")


def require_root() -> None:
    """Refuse anyone but root.

    Raises:
        LabError: we are not root.
    """
    if os.geteuid() != 0:
        raise LabError(
            "The lab needs root: it unpacks a system, mounts, and binds ports below 1024.",
            not_done="Nothing was changed.",
            remedy="Run it as root on a machine made for trying things.",
        )


def require(spec: LabSpec, cache: Path) -> None:
    """Refuse a machine on which the lab cannot be built.

    Raises:
        LabError: not root, a program is missing, no room on the disk, or mounting is not permitted.
    """
    require_root()
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        raise LabError(
            f"Programs that the lab needs are not installed: {', '.join(missing)}.",
            not_done="Nothing was built.",
            remedy="Run ./script/setup, which installs what is missing.",
        )
    for place in (spec.root, cache):
        free = shutil.disk_usage(_existing(place)).free
        if free < _ROOM:
            raise LabError(
                f"Only {free // 1_000_000} MB are free for {place}; the lab needs {_ROOM // 1_000_000} MB.",
                not_done="Nothing was built.",
                remedy="Free some space, or set KEYTRUST_LAB_ROOT to a directory on a larger disk.",
            )
    tree.require_namespaces()


def require_free_address(spec: LabSpec) -> None:
    """Refuse an address on which something else already listens. Called while the lab's own controller is down.

    Raises:
        LabError: one of ``PORTS`` is taken.
    """
    for port in PORTS:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the controller does: TIME_WAIT is free
            try:
                probe.bind((spec.address, port))
                probe.listen(1)
            except OSError as error:
                taken = error.errno == errno.EADDRINUSE
                raise LabError(
                    f"Something else already listens on {spec.address} port {port}."
                    if taken
                    else f"{spec.address} port {port} cannot be bound: {error.strerror}.",
                    not_done="The domain controller was not started.",
                    remedy=f"Find it with `ss -ltnp 'sport = :{port}'`, or give the lab another address in 127.*.",
                ) from error


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
