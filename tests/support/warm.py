"""Starting the program without the second or two that loading it takes, so that hundreds of kills fit into minutes.

A process that has it loaded makes a copy of itself (multiprocessing's forkserver) for each start. From there on it is
the program as its command line starts it: a process of its own, killed and awaited like any other.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["keytrust.cli.main", "keytrust.cli.service_wiring", "keytrust.service.service"])


class WarmProcess:
    """``python -m keytrust ARGUMENTS`` with its output in a file; the part of ``Popen`` that tests use."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self._process = _FORKS.Process(target=_main, args=(list(arguments), str(log)), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("keytrust", timeout or 0.0)
        return code

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def _main(arguments: list[str], log: str) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["KEYTRUST_CONFIG"] = ""
    sys.argv = ["keytrust", *arguments]
    from keytrust.cli.main import main

    main()
