"""The two sides of a complete read: how their objects become rows. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from keytrust.cloud.source import CloudUser
from keytrust.directory.account import Account
from keytrust.service.hashes import hash64
from keytrust.service.rows import Row, account_digest, account_rows, key_rows, user_row
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users

BATCH = 2_000
"""Objects in one batch: enough that handing it on costs nothing, few enough to be held."""
MOST_CHILDREN = 10_000
"""What belongs to them ends a batch too: an account may hold a thousand values, and whoever may write to many accounts
must not decide on our memory."""

Tuples = list[tuple[Any, ...]]
Known = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Side:
    """One side.

    Attributes:
        table: Its objects.
        name: The column that names one.
        children: What belongs to them.
        parent: The column of ``children`` that names the object.
    """

    table: Table
    name: str
    children: Table
    parent: str


SIDES = {
    "users": Side(cloud_users, "id", cloud_keys, "user"),
    "accounts": Side(accounts, "guid", account_values, "guid"),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Some objects, and as rows those of them that are not mirrored as they are.

    Attributes:
        count: How many objects it stands for.
        names: The hashes of their names, packed.
        rows: The rows of those that changed, each with its object's number in the read at the end.
        children: The rows of what belongs to these, likewise.
        changed: They themselves, when these were asked for.
    """

    count: int
    names: bytes
    rows: Tuples
    children: Tuples
    changed: list[Any]


def batches(
    side: str, objects: Iterable[Any], mirror: int, stamp: int, known: Known, *, with_changed: bool
) -> Iterator[Batch]:
    """All objects of a side in batches; those whose row's digest is ``known`` are mirrored as they are."""
    convert, numbered = _CONVERT[side], enumerate(objects, 1)
    while True:
        names = array("q")
        rows: Tuples = []
        children: Tuples = []
        changed: list[Any] = []
        for number, each in numbered:
            name, row, belonging = convert(mirror, stamp, each, known)
            names.append(hash64(name))
            if row is not None:
                rows.append((*row.values(), number))
                children += [(*child.values(), number) for child in belonging]
                if with_changed:
                    changed.append(each)
            if len(names) == BATCH or len(children) >= MOST_CHILDREN:
                break
        if not names:
            return
        yield Batch(len(names), names.tobytes(), rows, children, changed)


Converted = tuple[bytes, Row | None, list[Row]]
"""An object's name, its row unless it is mirrored as it is, and the rows of what belongs to it."""


def _user(mirror: int, stamp: int, user: CloudUser, known: Known) -> Converted:
    name, row = user.id.encode(), user_row(mirror, stamp, user)
    if known(row["digest"]):
        return name, None, []
    return name, row, key_rows(mirror, user)


def _account(mirror: int, stamp: int, account: Account, known: Known) -> Converted:
    digest = account_digest(account)
    if known(digest):
        return account.guid, None, []
    made = account_rows(mirror, stamp, account, digest)
    return account.guid, made.account, made.values


_CONVERT: dict[str, Callable[[int, int, Any, Known], Converted]] = {"users": _user, "accounts": _account}
