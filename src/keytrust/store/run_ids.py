"""Opening a run under an id of its own, for the journal of keys and the journal of set-up steps alike."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Table, insert
from sqlalchemy.exc import IntegrityError

from keytrust.database import writing
from keytrust.store.database import store_faults

_ATTEMPTS = 20


def open_run(engine: Engine, table: Table, row: dict[str, Any]) -> str:
    """Insert a run that starts now, and return its id, which sorts by time and can be typed.

    The four digits after the second are few enough to be drawn twice by services that open several runs a second;
    then others are drawn.

    Args:
        engine: The store.
        table: With the columns ``id`` and ``started``.
        row: The other columns.

    Raises:
        StoreError: it could not be recorded.
    """
    attempts = 0
    while True:
        attempts += 1
        now = datetime.now(UTC)
        run = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        with store_faults(engine):
            try:
                with writing(engine) as connection:
                    connection.execute(insert(table), {"id": run, "started": now.isoformat()} | row)
            except IntegrityError:
                if attempts == _ATTEMPTS:
                    raise
            else:
                return run
