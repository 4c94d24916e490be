"""Accounts counted by who may write their keys: what is remembered of a hundred thousand security descriptors."""

from __future__ import annotations

from typing import NamedTuple

from keytrust.audit.model import AccountKind, Subject
from keytrust.directory.security import Right, SecurityDescriptor, SecurityDescriptorError, Writer, key_link_writers
from keytrust.directory.security.writers import SELF

EXAMPLES = 5
_MAX_REMEMBERED = 16 << 20


class Grant(NamedTuple):
    """Accounts that have the same writers.

    Attributes:
        writers: Who may write; None when the descriptor could not be read.
        accounts: How many accounts.
        privileged: How many of them are privileged.
        examples: Some of them, privileged ones first.
    """

    writers: frozenset[Writer] | None
    accounts: int
    privileged: int
    examples: tuple[str, ...]


class GrantCounter:
    """Counts accounts by their writers. Descriptors that are byte for byte the same are read once."""

    def __init__(self) -> None:
        self._read: dict[bytes, frozenset[Writer] | None] = {}
        self._remembered = 0
        self._grants: dict[tuple[bool, frozenset[Writer] | None], Grant] = {}

    def take(self, subject: Subject, descriptor: bytes) -> None:
        """Count one account."""
        if descriptor not in self._read:
            self._remembered += len(descriptor)
            if self._remembered > _MAX_REMEMBERED:
                self._read, self._remembered = {}, len(descriptor)
            try:
                self._read[descriptor] = key_link_writers(SecurityDescriptor.parse(descriptor))
            except SecurityDescriptorError:
                self._read[descriptor] = None
        writers = self._read[descriptor]
        if writers is not None and subject.kind is AccountKind.COMPUTER:
            # A computer may write its own first key: [MS-ADTS], DS-Validated-Write-Computer.
            writers = writers - {Writer(SELF, Right.VALIDATED)}
        elif writers is not None:
            # The validated write exists for computers only; on others the right is without effect.
            writers = frozenset(writer for writer in writers if writer.right is not Right.VALIDATED)
        self._add(Grant(writers, 1, int(subject.privileged), (subject.name,)))

    def _add(self, new: Grant) -> None:
        key = (bool(new.privileged), new.writers)
        old = self._grants.get(key)
        if old is None:
            self._grants[key] = new
        else:
            examples = old.examples if len(old.examples) >= EXAMPLES else (*old.examples, *new.examples)
            self._grants[key] = Grant(
                old.writers, old.accounts + new.accounts, old.privileged + new.privileged, examples
            )

    def grants(self) -> list[Grant]:
        """What was counted."""
        return list(self._grants.values())
