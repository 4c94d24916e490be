"""Programs that the lab runs: bounded in time, dead when we die, and their last words kept for the error."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from keytrust.errors import LabError

_LAST_WORDS = 2000


def tied(argv: Sequence[str]) -> list[str]:
    """The command line that the kernel kills when the calling process dies, however it dies.

    Without it, a killed ``up`` would leave a program writing into the tree that the next ``up`` rebuilds.
    """
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv]


def run(
    argv: Sequence[str],
    *,
    doing: str,
    text: str | None = None,
    timeout: float = 300,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    program: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one program to its end.

    Args:
        argv: Program and arguments; never a secret.
        doing: What this is for, for the error ("unpacking the base system").
        text: Standard input; none is the null device.
        timeout: Seconds until it is killed.
        env: Environment; ours when left out.
        check: Raise when the exit status is not 0.
        program: What to call it in an error; the first word of ``argv`` when left out.

    Raises:
        LabError: it is not installed, was too slow, or (with ``check``) failed.
    """
    try:
        done = subprocess.run(
            tied(argv),
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=dict(os.environ if env is None else env),
            check=False,
        )
    except FileNotFoundError as error:
        raise missing(str(error.filename), doing) from error
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"{program or argv[0]} did not finish within {timeout:.0f} s while {doing}.",
            remedy="Try again when the machine is less busy.",
        ) from error
    if check and done.returncode != 0:
        raise failed(program or argv[0], doing, done.returncode, done.stdout + done.stderr)
    return done


def follow(argv: Sequence[str], *, doing: str, env: Mapping[str, str], log: Path, line: Callable[[str], None]) -> None:
    """Run one long program and hand over each line it writes; all of it is kept in ``log``.

    Raises:
        LabError: it is not installed or failed.
    """
    try:
        with (
            log.open("w", encoding="utf-8", errors="replace") as keep,
            subprocess.Popen(
                tied(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=dict(env),
            ) as process,
        ):
            try:
                for said in process.stdout or ():
                    keep.write(said)
                    line(said.rstrip())
            except BaseException:
                process.kill()
                raise
    except FileNotFoundError as error:
        raise missing(str(error.filename), doing) from error
    if process.returncode != 0:
        raise failed(argv[0], doing, process.returncode, log.read_text(encoding="utf-8", errors="replace"))


def missing(program: str, doing: str) -> LabError:
    """The error for a program that is not installed."""
    return LabError(
        f"The program {program} is not installed; it is needed for {doing}.",
        remedy="Run ./script/setup, which installs what is missing.",
    )


def failed(program: str, doing: str, status: int, said: str) -> LabError:
    """The error for a program that ended badly, with the end of what it said as the detail."""
    full = "no space left" in said.lower()
    return LabError(
        f"{'The disk is full' if full else f'{program} failed with status {status}'} while {doing}.",
        remedy="Free some space and try again." if full else "Look at the detail (-v) and try again.",
        detail=said[-_LAST_WORDS:].strip(),
    )
