"""``auditLogs/directoryAudits``: the audit trail as Microsoft Graph words it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from keytrust.registry import clock
from keytrust.registry.odata import bad_request
from keytrust.registry.tables import audit, users

ADD = "Add Windows Hello for Business credential"
DELETE = "Delete Windows Hello for Business credential"
_ACTIVITIES = {"register key": ADD, "replace key": DELETE, "revoke key": DELETE}

_TERM = re.compile(
    r"\s*(?:(activityDateTime)\s+ge\s+(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z)"
    r"|(activityDisplayName)\s+eq\s+'((?:[^']|''){0,256})')\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted: not before ``since`` (microseconds since 1970), and of these actions."""

    since: int | None = None
    actions: tuple[str, ...] | None = None


def parse_filter(text: str | None) -> AuditFilter:
    """``activityDateTime ge <time>`` and ``activityDisplayName eq '<name>'``, either or both with ``and``.

    Raises:
        ODataError: it is another filter.
    """
    since, actions = None, None
    for term in re.split(r"\s+and\s+", text.strip()) if text and text.strip() else []:
        match = _TERM.fullmatch(term)
        if match is None or (match[1] and since is not None) or (match[3] and actions is not None):
            bad_request("The filter is not supported; use activityDateTime ge <time> and activityDisplayName eq '…'.")
        if match[1]:
            since = _microseconds(match[2])
        else:
            name = match[4].replace("''", "'")
            actions = tuple(action for action in _known(name))
    return AuditFilter(since, actions)


def list_audits(
    connection: Connection, wanted: AuditFilter, *, top: int, before: int | None
) -> tuple[list[dict[str, object]], int | None]:
    """A page of entries, newest first, and the number before which the next page begins, if there is one."""
    statement = select(audit, users.c.upn).outerjoin(users, users.c.id == audit.c.user_id)
    statement = statement.order_by(audit.c.seq.desc()).limit(top + 1)
    if before is not None:
        statement = statement.where(audit.c.seq < before)
    if wanted.actions is not None:
        statement = statement.where(audit.c.action.in_(wanted.actions))
    rows = connection.execute(statement).all()
    following = rows[top - 1].seq if len(rows) > top else None
    rows = rows[:top]
    if wanted.since is not None:
        # Entries lie in the order of their times, so this needs no index of times: the first old one ends the read.
        recent = [row for row in rows if row.at >= wanted.since]
        following = following if len(recent) == len(rows) else None
        rows = recent
    return [_entry(row) for row in rows], following


def _known(name: str) -> list[str]:
    return [action for action, activity in _ACTIVITIES.items() if activity == name] or [name]


def _entry(row: Row[Any]) -> dict[str, object]:
    kind, _, who = row.actor.partition(" ")
    by = {"user": {"userPrincipalName": who}} if kind == "user" else {"app": {"displayName": who or row.actor}}
    targets = []
    if row.user_id is not None:
        targets.append({"id": row.user_id, "type": "User", "userPrincipalName": row.upn})
    if row.device_id is not None:
        targets.append({"id": row.device_id, "type": "Device"})
    return {
        "id": f"Registry_{row.seq}",
        "category": "UserManagement" if row.user_id else "Device",
        "correlationId": row.request_id,
        "result": "success",
        "activityDisplayName": _ACTIVITIES.get(row.action, row.action),
        "activityDateTime": clock.iso(row.at),
        "loggedByService": "Device Registration Service",
        "initiatedBy": by,
        "targetResources": targets,
        "additionalDetails": [
            {"key": name, "value": value} for name, value in (("keyId", row.key_id), ("detail", row.detail)) if value
        ],
    }


def _microseconds(text: str) -> int:
    date, _, fraction = text.removesuffix("Z").partition(".")
    try:
        moment = datetime.fromisoformat(f"{date}.{fraction[:6]:0<6}+00:00")
    except ValueError:
        bad_request("The filter's time is not one.")
    return round(moment.timestamp() * 1e6)
