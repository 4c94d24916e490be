"""Which accounts hold which key, remembered compactly: the one thing that needs all accounts at once."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from itertools import groupby

from keytrust.audit.errors import AuditError
from keytrust.audit.model import AccountKind, InspectedValue, Subject

_ID_BYTES = 32
MAX_REMEMBERED = 3 << 29
"""Bytes that may be remembered (1.5 GiB), far more than ten million ordinary accounts need."""
_MAX_DN = 512


class Holders:
    """Remembers the public key of every value and who holds it: about 200 bytes for each."""

    def __init__(self) -> None:
        self._ids = bytearray()
        self._accounts = array("I")
        self._usages = bytearray()
        self._names = bytearray()
        self._starts = array("Q")

    def take(self, subject: Subject, values: list[InspectedValue]) -> None:
        """Remember an account's keys.

        Raises:
            AuditError: there are more than fit.
        """
        keys = [value for value in values if value.public_id]
        if not keys:
            return
        self._starts.append(len(self._names))
        row = (subject.dn[:_MAX_DN], subject.name[:_MAX_DN], subject.sid, subject.guid.hex(), subject.privileged)
        self._names += json.dumps((*row, subject.kind)).encode("ascii")
        for value in keys:
            self._ids += value.public_id
            self._accounts.append(len(self._starts) - 1)
            self._usages.append((value.usage or 0) & 0xFF)
        if len(self._names) + len(self._ids) > MAX_REMEMBERED:
            raise AuditError(
                f"There are more keys than can be compared at once ({len(self._accounts):,}).",
                not_done="The audit was given up.",
                remedy="Audit the dump in parts; keys on several accounts are then found within a part only.",
            )

    def shared(self) -> Iterator[tuple[bytes, int, list[Subject]]]:
        """Every key that several accounts hold: its identity, its usage, and the accounts."""
        ids = self._ids

        def identity(index: int) -> bytes:
            return bytes(ids[index * _ID_BYTES : (index + 1) * _ID_BYTES])

        order = sorted(range(len(self._accounts)), key=identity)
        for public_id, group in groupby(order, identity):
            first, *more = group
            if not more:
                continue
            accounts = sorted({self._accounts[index] for index in (first, *more)})
            if len(accounts) > 1:
                yield public_id, self._usages[first], [self._subject(number) for number in accounts]

    def _subject(self, number: int) -> Subject:
        end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self._names)
        dn, name, sid, guid, privileged, kind = json.loads(self._names[self._starts[number] : end])
        return Subject(
            dn=dn, name=name, sid=sid, guid=bytes.fromhex(guid), privileged=privileged, kind=AccountKind(kind)
        )
