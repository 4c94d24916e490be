"""A dump of any size, worked on by all processors, a few pieces at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from keytrust.audit.devices import Device
from keytrust.audit.errors import AuditError
from keytrust.audit.ldif.batch import Batch, Wish, read_batch, read_devices
from keytrust.audit.ldif.crew import Crew, CrewError, crew_of
from keytrust.audit.ldif.text import on_disk, pieces

_SMALL = 8 << 20
MAX_DEVICES = 3_000_000
"""More devices than the largest tenants have."""

Result = TypeVar("Result")


class Dump:
    """A dump that is open for reading, as often as needed.

    Attributes:
        size: Its bytes, in UTF-8.
    """

    def __init__(self, path: Path, name: str, crew: Crew | None) -> None:
        self._path = path
        self._name = name
        self._crew = crew
        self.size = path.stat().st_size

    def batches(self, wish: Wish) -> Iterator[Batch]:
        """Everything in it, piece by piece and in order.

        Raises:
            AuditError: it is not LDIF at all, or a worker process died.
        """
        yield from self._each(read_batch, wish)

    def devices(self, progress: Callable[[float], None] = lambda _: None) -> list[Device]:
        """The devices in it (class ``msDS-Device``).

        Args:
            progress: Called with the share of the dump that was looked through.

        Raises:
            AuditError: see ``batches``; or there are more than ``MAX_DEVICES``.
        """
        devices: list[Device] = []
        done = 0
        for size, found in self._each(read_devices):
            devices += found
            done += size
            progress(done / self.size)
            if len(devices) > MAX_DEVICES:
                raise AuditError(
                    f"{self._name} has more than {MAX_DEVICES:,} devices.",
                    not_done="The audit was given up.",
                    remedy="Look at the dump, it is damaged or made up; or leave its msDS-Device objects out.",
                )
        return devices

    def _each(self, work: Callable[..., Result], *arguments: object) -> Iterator[Result]:
        try:
            if self._crew is None:
                for piece in pieces(self._path):
                    yield work(piece, *arguments)
            else:
                yield from self._crew.each(work, pieces(self._path), *arguments)
        except CrewError as error:
            raise AuditError(
                f"A process that read {self._name} died, most likely for lack of memory.",
                not_done="The audit was given up.",
                remedy="Run it again on a machine with more memory, or with --jobs 1.",
            ) from error
        except OSError as error:
            raise AuditError(f"The dump {self._name} cannot be read: {error.strerror}.") from error


@contextmanager
def open_dump(path: Path, jobs: int | None = None) -> Iterator[Dump]:
    """Open a dump; ``-`` is standard input.

    Args:
        path: The file.
        jobs: Processes to work on it; by default one for each processor, and for a small dump none but this one.

    Raises:
        AuditError: it cannot be read.
    """
    with ExitStack() as stack:
        file = stack.enter_context(on_disk(path))
        workers = jobs or len(os.sched_getaffinity(0))
        crew = None
        if not file.is_file():
            raise AuditError(f"The dump {path} is not a file.", not_done="Nothing was audited.")
        if workers > 1 and file.stat().st_size > _SMALL:
            # Forked now, before anything starts a thread: a fork beside threads can deadlock.
            crew = stack.enter_context(crew_of(workers))
        yield Dump(file, str(path), crew)
