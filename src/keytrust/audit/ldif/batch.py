"""One piece of a dump, read and inspected: what a worker process does. Pure but for reading its piece."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from keytrust.audit.devices import Device, device_of
from keytrust.audit.grants import Grant, GrantCounter
from keytrust.audit.inspect import inspect
from keytrust.audit.ldif.records import Damage, Record, records
from keytrust.audit.ldif.text import Piece
from keytrust.audit.model import AccountKind, InspectedValue, Subject
from keytrust.audit.subject import DESCRIPTOR, KEY_LINK, subject_of

MAX_DAMAGES = 1000
"""Damages of one piece that are told one by one."""


class Wish(NamedTuple):
    """What is wanted beside objects with keys.

    Attributes:
        every_user: Users without keys too: they may lack a registered one.
        raw: The values' own bytes.
    """

    every_user: bool = False
    raw: bool = False


class Group(NamedTuple):
    """A group, for resolving who a principal is."""

    dn: str
    sid: str
    name: str
    members: tuple[str, ...]


@dataclass(slots=True)
class Batch:
    """What a piece holds.

    Attributes:
        size: Its bytes.
        accounts: Objects with their values.
        users: Users that were left out because they hold no key.
        others: Other objects that were left out.
        damages: What cannot be read.
        unsaid: Damages beyond ``MAX_DAMAGES``.
        grants: Who may write, where the dump has security descriptors.
        groups: The groups.
    """

    size: int
    accounts: list[tuple[Subject, list[InspectedValue]]] = field(default_factory=list)
    users: int = 0
    others: int = 0
    damages: list[Damage] = field(default_factory=list)
    unsaid: int = 0
    grants: list[Grant] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)


def read_batch(piece: Piece, wish: Wish) -> Batch:
    """Read and inspect a piece."""
    batch = Batch(piece.end - piece.start)
    grants = GrantCounter()
    for record in records(piece.read()):
        if isinstance(record, Damage):
            if len(batch.damages) < MAX_DAMAGES:
                batch.damages.append(record)
            else:
                batch.unsaid += 1
        else:
            _take(record, wish, batch, grants)
    batch.grants = grants.grants()
    return batch


def _take(record: Record, wish: Wish, batch: Batch, grants: GrantCounter) -> None:
    entry = record.entry
    subject = subject_of(record.dn, entry, partial=record.partial)
    values = entry.get(KEY_LINK, ())
    user = subject.kind is AccountKind.USER and bool(entry)
    if values or (user and wish.every_user):
        seen = [inspect(value, record.dn, keep_raw=wish.raw) for value in values]
        batch.accounts.append((subject, seen))
    elif user:
        batch.users += 1
    else:
        batch.others += 1
    descriptor = entry.get(DESCRIPTOR)
    if descriptor and subject.kind is not AccountKind.OTHER:
        grants.take(subject, bytes(descriptor[0]))
    if "member" in entry and subject.sid:
        members = tuple(member.decode("utf-8", "replace") for member in entry["member"])
        batch.groups.append(Group(record.dn, subject.sid, subject.name, members))


def read_devices(piece: Piece) -> tuple[int, list[Device]]:
    """The size of a piece and its devices; nearly all pieces have none, which shows quickly."""
    text, size = piece.read(), piece.end - piece.start
    if b"msds-deviceid" not in text.lower():
        return size, []
    found = (device_of(record.entry) for record in records(text) if isinstance(record, Record))
    return size, [device for device in found if device is not None]
