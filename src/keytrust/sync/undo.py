"""Taking a run back, value by value. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keytrust.directory.account import Account
from keytrust.sync.journal import JournalEntry, Outcome
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.stored import binary_part


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What undoing a run would change, and what it cannot change back.

    Attributes:
        changes: To be carried out, last change of the run first.
        conflicts: One sentence for each value that was changed again since, by somebody else.
    """

    changes: tuple[Change, ...]
    conflicts: tuple[str, ...]


def plan_undo(entries: Iterable[JournalEntry], accounts: Mapping[bytes, Account]) -> UndoPlan:
    """Work out the changes that undo a run's.

    Args:
        entries: The run's entries; those that failed or were not sent changed nothing and are passed over.
        accounts: The accounts as they are now, by objectGUID.
    """
    changes: list[Change] = []
    conflicts: list[str] = []
    for entry in entries:
        if entry.outcome in (Outcome.FAILED, Outcome.NOT_SENT):
            continue
        reverse = _reverse(entry, accounts.get(entry.change.account.guid))
        if isinstance(reverse, Change):
            changes.append(reverse)
        elif reverse is not None:
            conflicts.append(reverse)
    return UndoPlan(tuple(reversed(changes)), tuple(conflicts))


def _reverse(entry: JournalEntry, account: Account | None) -> Change | str | None:
    done = entry.change
    if account is None:
        return f"{done.account.name}: the account no longer exists, so its value cannot be put back."
    stored = _stored(account, done.value)
    reason = f"undo of run {entry.run}"
    if done.action is Action.ADD:
        if stored is None:
            # Of a change whose outcome nobody knows, absence may just mean that it never happened.
            known = entry.outcome is Outcome.CONFIRMED
            return f"{account.name}: the value that was added is gone already." if known else None
        return Change(Action.REMOVE, AccountRef.of(account), stored, done.key_id, reason)
    if stored is not None:
        known = entry.outcome is Outcome.CONFIRMED
        return f"{account.name}: the value that was removed is back already." if known else None
    return Change(Action.ADD, AccountRef.of(account), _for(account, done.value), done.key_id, reason)


def _stored(account: Account, value: bytes) -> bytes | None:
    """The account's value with the same binary part, exactly as stored now."""
    wanted = binary_part(value)
    return next((stored for stored in account.values if binary_part(stored) == wanted), None)


def _for(account: Account, value: bytes) -> bytes:
    """The value with the account's present name: the DN part of a value follows its account when that is renamed."""
    parts = value.split(b":", 3)
    if len(parts) != 4:
        return value
    return b":".join((*parts[:3], account.dn.encode()))
