"""The digests that hold the journal together, and the identity of a value in it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table

from keytrust.store.tables import journal
from keytrust.sync.stored import binary_part


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
