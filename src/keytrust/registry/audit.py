"""The audit trail: one row for every change, written in the transaction that makes the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from keytrust.registry.tables import audit

_INSERT = insert(audit)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a change, in which request.

    Attributes:
        actor: ``user <upn>``, ``application <id>``, or what was run on the host.
        request_id: The id that the answer carried, if it was a request.
        at: When, microseconds since 1970.
    """

    actor: str
    at: int
    request_id: str | None = None


def record(
    connection: Connection,
    origin: Origin,
    action: str,
    *,
    user_id: str | None = None,
    device_id: str | None = None,
    key_id: str | None = None,
    detail: str = "",
) -> None:
    """Append one row in the caller's transaction."""
    subject = {"user_id": user_id, "device_id": device_id, "key_id": key_id}
    connection.execute(_INSERT, {**_row(origin, action), **subject, "detail": detail[:1024]})


def record_all(
    connection: Connection, origin: Origin, subjects: Sequence[tuple[str, str]], *, detail: str = ""
) -> None:
    """Append one row for each user id and action."""
    if subjects:
        common = {"detail": detail[:1024]}
        rows = [{**_row(origin, action), **common, "user_id": user_id} for user_id, action in subjects]
        connection.execute(_INSERT, rows)


def _row(origin: Origin, action: str) -> dict[str, object]:
    return {
        "at": origin.at,
        "actor": origin.actor[:1024],
        "action": action,
        "user_id": None,
        "device_id": None,
        "key_id": None,
        "detail": "",
        "request_id": origin.request_id,
    }


def trail(connection: Connection, *, user_id: str | None = None, limit: int = 1000) -> list[dict[str, object]]:
    """The latest rows, newest first, of everybody or of one user."""
    statement = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if user_id is not None:
        statement = statement.where(audit.c.user_id == user_id)
    return [dict(row) for row in connection.execute(statement).mappings()]
