"""A side of a complete read in a process of its own: reading and parsing use the other core, and their memory ends.

The process is given what to read on its standard input, writes what is new to a file, and tells on its standard output
how far it is. It is this program itself, so both sides of the pipe trust each other.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keytrust.errors import CloudError, DirectoryError, KeytrustError
from keytrust.memory import relax_garbage_collection
from keytrust.service.hashes import Fingerprints, Hashes
from keytrust.service.sides import SIDES, Known, batches
from keytrust.service.staging import Staging

Opener = Callable[[], Iterable[Any]]
"""Opens a side and gives all its objects. For another process it has to be picklable."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is told of some objects that were read: their number, their names' hashes, and those that changed."""

    count: int
    names: bytes
    changed: list[Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read.

    Attributes:
        side: ``users`` or ``accounts``.
        opener: Where from.
        mirror: The mirror's number.
        stamp: For the rows.
        known: Numbers of the rows that are mirrored already, packed.
        rule: How a row's digest becomes its number.
        with_changed: Whether the objects that changed are wanted themselves too.
        file: Where the rows of those that changed go, see ``Staging``.
    """

    side: str
    opener: Opener
    mirror: int
    stamp: int
    known: bytes
    rule: Fingerprints
    with_changed: bool
    file: Path

    def parts(self) -> Generator[Part]:
        """All of it, in this process."""
        staging = Staging(SIDES[self.side], self.file)
        found = batches(
            self.side,
            self.opener(),
            self.mirror,
            self.stamp,
            self._is_known(),
            with_changed=self.with_changed,
        )
        for batch in found:
            if batch.rows:
                staging.add(batch.rows, batch.children)
            yield Part(batch.count, batch.names, batch.changed)
        staging.finish()

    def _is_known(self) -> Known:
        if not self.known:
            return lambda _digest: False
        known, number = Hashes(), self.rule.of
        known.add_all(self.known)
        known.freeze()
        return lambda digest: number(digest) in known


class ReadingApart(Iterator[Part]):
    """All of it, in a process of its own, which ends with the iteration or when it is closed, from any thread.

    Iterating raises ``CloudError`` or ``DirectoryError`` when it cannot be read completely.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()

    def __next__(self) -> Part:
        try:
            if self._child is None:
                self._start()
            return self._told()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it; whoever waits for a part has his answer then."""
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.kill()
                self._child.wait()

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                raise StopIteration
            command = [sys.executable, "-P", "-m", "keytrust.service.reading"]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._child.stdin is not None  # noqa: S101 - asked for above
        with suppress(BrokenPipeError), self._child.stdin as to_child:
            pickle.dump(self._reading, to_child, pickle.HIGHEST_PROTOCOL)

    def _told(self) -> Part:
        assert self._child is not None  # noqa: S101 - started
        assert self._child.stdout is not None  # noqa: S101
        try:
            told = pickle.load(self._child.stdout)  # noqa: S301 - from our own process
        except (EOFError, pickle.UnpicklingError):
            told = _Fault("it ended before it had read everything", "", "", "")
        if isinstance(told, Part):
            return told
        self._child.stdout.close()
        if isinstance(told, _Fault):
            kind = CloudError if self._reading.side == "users" else DirectoryError
            raise kind(told.message, not_done=told.not_done, remedy=told.remedy, detail=told.detail)
        raise StopIteration


@dataclass(frozen=True, slots=True)
class _Fault:
    message: str
    not_done: str
    remedy: str
    detail: str


def serve_reading() -> None:
    """Read what standard input asks for."""
    # What ends the service ends this one by the closed pipe, after the service has said so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the parts
    with suppress(OSError):  # a hardened unit may forbid it
        os.nice(5)  # a change that comes meanwhile goes first
    relax_garbage_collection()
    told: object = None
    try:
        reading = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process
        for part in reading.parts():
            pickle.dump(part, output, pickle.HIGHEST_PROTOCOL)
            output.flush()
    except BrokenPipeError:
        os._exit(0)
    except KeytrustError as error:
        told = _Fault(error.message, error.not_done, error.remedy, error.detail)
    except Exception as error:  # the service reports it, and goes on
        told = _Fault(f"internal fault while reading: {type(error).__name__}: {error}", "", "", "")
    with suppress(BrokenPipeError):
        pickle.dump(told, output, pickle.HIGHEST_PROTOCOL)
        output.flush()
    os._exit(0)


if __name__ == "__main__":
    # Unpickled classes must be those of the importable module, not of __main__.
    from keytrust.service import reading as itself  # noqa: PLW0406

    itself.serve_reading()
