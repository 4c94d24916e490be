"""The digests that hold the journals together, and the identity of a value in one.

A journal is a table with ``seq`` from 1 without gaps and a ``digest`` that covers the row and the digest before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, select

from keytrust.errors import StoreError
from keytrust.store.tables import journal
from keytrust.sync.stored import binary_part

COMPARE = "Compare it with a backup and with the domain controllers' audit events."
"""What to do about a journal that does not verify."""


def value_id(guid: bytes, value: bytes) -> bytes:
    """Identity of a value on an account, whatever the account is called now."""
    return hashlib.sha256(guid + binary_part(value)).digest()


def row_digest(previous: bytes, row: Mapping[Any, Any], table: Table = journal) -> bytes:
    """SHA-256 over the digest before it and every column of ``table`` but the digest itself."""
    content = {
        column.name: value.hex() if isinstance(value := row[column.name], bytes) else value
        for column in table.columns
        if column.name != "digest"
    }
    return hashlib.sha256(previous + json.dumps(content, sort_keys=True).encode()).digest()


def serialise_appends(connection: Connection, table: Table = journal) -> None:
    """Let one appender in at a time, so that each continues the chain where the one before it ended."""
    if connection.dialect.name != "sqlite":  # there, every writing transaction has the database to itself
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN EXCLUSIVE MODE")


def tail(connection: Connection, table: Table = journal) -> tuple[int, bytes]:
    """Number and digest of the last row; 0 and nothing when there is none."""
    last = connection.execute(select(func.max(table.c.seq))).scalar()
    if last is None:
        return 0, b""
    digest: bytes = connection.execute(select(table.c.digest).where(table.c.seq == last)).scalar_one()
    return last, digest


def verified(connection: Connection, what: str, table: Table = journal) -> tuple[int, bytes]:
    """Check a chain from the first row to the last; the number of rows, and the last digest.

    Args:
        connection: In a transaction of its own.
        what: What the journal is called.
        table: The journal.

    Raises:
        StoreError: a row was altered, added out of order or taken away; names the first.
    """
    digest, number = b"", 0
    rows = connection.execution_options(yield_per=1000).execute(select(table).order_by(table.c.seq))
    for row in rows.mappings():
        if row["seq"] != number + 1 or row_digest(digest, row, table) != row["digest"]:
            raise StoreError(
                f"{what} does not verify at row {number + 1}: it was altered or rows are missing.", remedy=COMPARE
            )
        digest, number = row["digest"], number + 1
    return number, digest
