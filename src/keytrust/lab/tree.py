"""Running programs inside the domain controller's file system.

Each runs in a mount namespace of its own, where /dev and /proc are bound into the tree. The namespace ends with its
last process, so that no mount of ours can outlive the lab, whatever kills it.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from keytrust.errors import LabError
from keytrust.lab import child

_ENTER = 'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'
_NAMESPACE = ("unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _ENTER)
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def run(
    tree: Path, argv: Sequence[str], *, doing: str, text: str | None = None, timeout: float = 300, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program of the tree to its end; see ``child.run``."""
    return child.run(
        [*_NAMESPACE, str(tree), *argv],
        doing=doing,
        text=text,
        timeout=timeout,
        env=_ENVIRONMENT,
        check=check,
        program=argv[0],
    )


def start(tree: Path, argv: Sequence[str], *, pid_file: Path, log: Path) -> None:
    """Start a program of the tree that outlives us, in a session of its own, and return at once.

    Args:
        tree: The tree.
        argv: Program and arguments.
        pid_file: Gets its process id, before it starts. Whoever reads it checks that the process lives in the tree.
        log: Gets what it writes.

    Raises:
        LabError: not even the shell that starts it could be run.
    """
    pid_file.unlink(missing_ok=True)
    partial = pid_file.with_suffix(".partial")
    write = f"echo $$ > {shlex.quote(str(partial))} && mv {shlex.quote(str(partial))} {shlex.quote(str(pid_file))}"
    # `setsid --fork` hands the process to init, so that it is never our zombie.
    command = ["setsid", "--fork", "sh", "-c", f'{write} && exec "$@"', "sh", *_NAMESPACE, str(tree), *argv]
    try:
        with log.open("ab") as keep:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=keep, stderr=keep, cwd="/", env=_ENVIRONMENT, check=True
            )
    except FileNotFoundError as error:
        raise child.missing(str(error.filename), "starting the domain controller") from error
    except subprocess.CalledProcessError as error:
        raise child.failed(
            "setsid", "starting the domain controller", error.returncode, log.read_text(errors="replace")
        ) from error


def require_namespaces() -> None:
    """Find out now, not half-way, whether this machine lets us mount.

    Raises:
        LabError: it does not.
    """
    tried = child.run(
        ["unshare", "--mount", "--propagation", "private", "--", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        doing="checking that mounting is permitted",
        check=False,
    )
    if tried.returncode != 0:
        raise LabError(
            "This machine does not permit mounting in a namespace of one's own.",
            not_done="The lab was not built.",
            remedy="Run it on a virtual machine, or in a container with the capability SYS_ADMIN.",
            detail=tried.stderr.strip(),
        )
