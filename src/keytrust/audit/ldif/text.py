"""A dump on disk, in UTF-8, and cut into pieces at the boundaries between records."""

from __future__ import annotations

import codecs
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, NamedTuple

from keytrust.audit.errors import AuditError

PIECE = 1 << 20
"""Bytes worked on at once. A hostile piece takes a hundred times its size as records, so it is small."""
MAX_RECORD = 16 << 20
"""A record that is longer is no record: ten thousand keys need 10 MB."""
_STEP = 1 << 16
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Piece(NamedTuple):
    """Some records: bytes ``start`` to ``end`` of the file ``path``."""

    path: str
    start: int
    end: int

    def read(self) -> bytes:
        """The bytes."""
        with Path(self.path).open("rb") as file:
            file.seek(self.start)
            return file.read(self.end - self.start)


@contextmanager
def on_disk(path: Path) -> Iterator[Path]:
    """The dump as a UTF-8 file: itself, or for ``-`` (standard input) and UTF-16 a copy that is deleted afterwards.

    Raises:
        AuditError: it cannot be read.
    """
    with ExitStack() as stack:
        try:
            found = _found(path, stack)
        except OSError as error:
            raise AuditError(
                f"The dump {path} cannot be read: {error.strerror}.", not_done="Nothing was audited."
            ) from error
        yield found  # outside: what goes wrong in there is no fault of the dump


def _found(path: Path, stack: ExitStack) -> Path:
    if str(path) == "-":
        copy = stack.enter_context(_copy())
        shutil.copyfileobj(sys.stdin.buffer, copy, PIECE)
        copy.flush()
        return Path(copy.name)
    with path.open("rb") as file:
        encoding = _UTF16.get(file.read(2))
        if encoding is None:
            return path
        copy = stack.enter_context(_copy())
        _transcode(file, copy, encoding, path)
        return Path(copy.name)


def _copy() -> IO[bytes]:
    return NamedTemporaryFile(prefix="keytrust-audit-", suffix=".ldif")


def _transcode(file: IO[bytes], copy: IO[bytes], encoding: str, path: Path) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while data := file.read(PIECE):
            copy.write(decoder.decode(data).encode("utf-8"))
        copy.write(decoder.decode(b"", final=True).encode("utf-8"))
    except UnicodeError as error:
        raise AuditError(
            f"The dump {path} is not the UTF-16 that it begins as.", not_done="Nothing was audited."
        ) from error
    copy.flush()


def pieces(path: Path, size: int = PIECE) -> Iterator[Piece]:
    """Cut the file into pieces of about ``size`` bytes that hold whole records.

    Raises:
        AuditError: a record is longer than ``MAX_RECORD``.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(0)
        start = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
        while start < end:
            cut = end if start + size >= end else _boundary(file, start + size, end, path)
            yield Piece(str(path), start, cut)
            start = cut


def _boundary(file: IO[bytes], position: int, end: int, path: Path) -> int:
    """Where the first record after ``position`` begins."""
    file.seek(position)
    tail, where = b"", position
    while where < end:
        data = file.read(_STEP)
        window = tail + data
        found = [at + len(gap) for gap in (b"\n\n", b"\n\r\n") if (at := window.find(gap)) >= 0]
        if found:
            return where - len(tail) + min(found)
        where += len(data)
        tail = window[-2:]
        if where - position > MAX_RECORD:
            raise AuditError(
                f"The dump {path} has a record of more than {MAX_RECORD >> 20} MiB after byte {position}.",
                not_done="The audit was given up.",
                remedy="Look at the dump there; it is damaged or not LDIF.",
            )
    return end
