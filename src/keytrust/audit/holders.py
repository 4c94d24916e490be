"""Which accounts hold which key, remembered compactly: the one thing that needs all accounts at once."""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from struct import Struct
from tempfile import SpooledTemporaryFile
from types import TracebackType

from keytrust.audit.errors import AuditError
from keytrust.audit.model import AccountKind, InspectedValue, Subject

_PREFIX = 16
"""Bytes of a key's identity that are kept in memory; the rest is compared when these are equal."""
MAX_KEYS = 60_000_000
"""Keys that may be remembered: 1.6 GB."""
_REST = 32 - _PREFIX
_LENGTH = Struct("<I")
_MAX_DN = 512
_IN_MEMORY = 8 << 20
_SHOWN = 50


@dataclass(slots=True)
class SharedKey:
    """A key that several accounts hold.

    Attributes:
        public_id: Its identity.
        usage: What it is for on the first of them.
        accounts: How many they are.
        privileged: How many of them are privileged.
        shown: Some of them, privileged ones first.
    """

    public_id: bytes
    usage: int
    accounts: int = 0
    privileged: int = 0
    shown: list[Subject] = field(default_factory=list)
    _names: list[bytes] = field(default_factory=list)

    def add(self, subject: Subject) -> None:
        """One more account holds it."""
        self.accounts += 1
        self.privileged += subject.privileged
        self._names.append(subject.guid or subject.dn.casefold().encode("utf-8", "surrogatepass"))
        if subject.privileged:
            self.shown.insert(self.privileged - 1 if self.privileged <= _SHOWN else _SHOWN, subject)
            del self.shown[_SHOWN:]
        elif len(self.shown) < _SHOWN:
            self.shown.append(subject)

    def holders(self) -> bytes:
        """A digest over who holds it, in whatever order they were read."""
        digest = sha256()
        for name in sorted(self._names):
            digest.update(len(name).to_bytes(4, "big") + name)
        return digest.digest()


class Holders:
    """Remembers the public key of every value and who holds it: 25 bytes in memory for each, the names on disk.

    A context manager: closing it deletes what is on disk.
    """

    def __init__(self) -> None:
        self._prefixes = bytearray()
        self._rows = array("Q")
        self._usages = bytearray()
        # Closed in __exit__.
        self._names = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._end = 0

    def __enter__(self) -> Holders:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._names.close()

    def take(self, subject: Subject, values: list[InspectedValue]) -> None:
        """Remember an account's keys.

        Raises:
            AuditError: there are more than fit.
        """
        keys = [value for value in values if value.public_id]
        if not keys:
            return
        kind = subject.kind.value
        row = (subject.dn[:_MAX_DN], subject.name[:_MAX_DN], subject.sid, subject.guid, subject.privileged, kind)
        rest = b"".join([value.public_id[_PREFIX:] for value in keys])
        # Not for other eyes: it is read by this process alone, and marshal takes a tenth of the time of JSON.
        data = marshal.dumps((row, len(self._rows), rest), 2)
        for value in keys:
            self._prefixes += value.public_id[:_PREFIX]
            self._rows.append(self._end)
            self._usages.append((value.usage or 0) & 0xFF)
        self._names.write(_LENGTH.pack(len(data)) + data)
        self._end += _LENGTH.size + len(data)
        if len(self._rows) > MAX_KEYS:
            raise AuditError(
                f"There are more keys than can be compared at once ({len(self._rows):,}).",
                not_done="The audit was given up.",
                remedy="Audit the dump in parts; keys on several accounts are then found within a part only.",
            )

    def shared(self) -> Iterator[SharedKey]:
        """Every key that several accounts hold; to be asked when all accounts were taken."""
        for bucket in self._buckets():
            holders: dict[bytes, list[int]] = {}
            for index in bucket:
                prefix = bytes(self._prefixes[index * _PREFIX : (index + 1) * _PREFIX])
                holders.setdefault(prefix, []).append(index)
            for prefix, indexes in sorted(holders.items()):
                if len({self._rows[index] for index in indexes}) > 1:
                    yield from self._compared(prefix, indexes)

    def _buckets(self) -> list[array[int]]:
        """Keys by the first byte of their identity, so that only a part of them is ever compared at once."""
        buckets = [array("I") for _ in range(256)]
        for index, first in enumerate(self._prefixes[::_PREFIX]):
            buckets[first].append(index)
        return buckets

    def _compared(self, prefix: bytes, indexes: list[int]) -> Iterator[SharedKey]:
        """Keys of the same first half, told apart by the other."""
        found: dict[bytes, SharedKey] = {}
        last: dict[bytes, int] = {}
        for index in indexes:
            subject, rest = self._row(index)
            key = found.setdefault(rest, SharedKey(prefix + rest, self._usages[index]))
            if last.get(rest) != self._rows[index]:  # an account's keys come one after the other
                key.add(subject)
            last[rest] = self._rows[index]
        yield from (key for _, key in sorted(found.items()) if key.accounts > 1)

    def _row(self, index: int) -> tuple[Subject, bytes]:
        self._names.seek(self._rows[index])
        (length,) = _LENGTH.unpack(self._names.read(_LENGTH.size))
        (dn, name, sid, guid, privileged, kind), first, rests = marshal.loads(self._names.read(length))  # noqa: S302
        subject = Subject(dn=dn, name=name, sid=sid, guid=guid, privileged=privileged, kind=AccountKind(kind))
        return subject, rests[(index - first) * _REST : (index - first + 1) * _REST]
