"""The two sides of a complete read: how their objects become rows. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Table

from keytrust.service.hashes import Hashes, hash64
from keytrust.service.rows import account_rows, key_rows, user_row
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users

BATCH = 10_000
"""Objects in one batch, and so in one transaction: short enough that a feed's own is not kept waiting."""

Tuples = list[tuple[Any, ...]]


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
    """Some objects as rows.

    Attributes:
        count: How many objects it stands for.
        names: The hashes of their names, packed.
        changed: The names of those that are not as they were; the rest of the batch is about these.
        rows: Their rows.
        children: The rows of what belongs to them.
        objects: They themselves, when these were asked for.
    """

    count: int
    names: bytes
    changed: list[Any]
    rows: Tuples
    children: Tuples
    objects: list[Any]


def batches(
    side: str, objects: Iterable[Any], mirror: int, stamp: int, known: Hashes, *, with_objects: bool
) -> Iterator[Batch]:
    """All objects of a side in batches; ``known`` are the fingerprints of those that are mirrored as they are."""
    convert = _CONVERT[side]
    source = iter(objects)
    while some := list(islice(source, BATCH)):
        names = array("q")
        changed: list[Any] = []
        rows: Tuples = []
        children: Tuples = []
        kept: list[Any] = []
        for each in some:
            row, belonging = convert(mirror, stamp, each)
            name = row[SIDES[side].name]
            names.append(hash64(name.encode() if isinstance(name, str) else name))
            if fingerprint(row["digest"]) in known:
                continue
            changed.append(name)
            rows.append(tuple(row.values()))
            children += [tuple(child.values()) for child in belonging]
            if with_objects:
                kept.append(each)
        yield Batch(len(some), names.tobytes(), changed, rows, children, kept)


def fingerprint(digest: bytes) -> int:
    """A row's digest as a number; it covers the name, so that each is of one row alone."""
    return int.from_bytes(digest[:8], "big", signed=True)


def _user(mirror: int, stamp: int, user: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return user_row(mirror, stamp, user), key_rows(mirror, user)


def _account(mirror: int, stamp: int, account: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    made = account_rows(mirror, stamp, account)
    return made.account, made.values


_CONVERT: dict[str, Callable[[int, int, Any], tuple[dict[str, Any], list[dict[str, Any]]]]] = {
    "users": _user,
    "accounts": _account,
}
