"""Users of the registry. They come from Active Directory and are recognised by their source anchor."""

from __future__ import annotations

import base64
import itertools
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, func, insert, select, update

from keytrust.errors import RegistryError
from keytrust.registry import audit, changes, clock
from keytrust.registry.database import Database
from keytrust.registry.tables import users

_BATCH = 500
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_PRESENT = select(users).where(users.c.deleted.is_(None)).limit(2)
_BY_ID = users.c.id == bindparam("user_id")
_BY_UPN = users.c.upn_key == bindparam("upn_key")
_FIND = {
    frozenset({"user_id"}): _PRESENT.where(_BY_ID),
    frozenset({"upn_key"}): _PRESENT.where(_BY_UPN),
    frozenset({"user_id", "upn_key"}): _PRESENT.where(_BY_ID, _BY_UPN),
}


@dataclass(frozen=True, slots=True)
class ImportedUser:
    """One account of Active Directory.

    Attributes:
        source_anchor: ``mS-DS-ConsistencyGuid``, or ``objectGUID`` if that is not set; the raw bytes.
        upn: ``userPrincipalName``; where there is none, ``sAMAccountName@domain``.
        sid: ``objectSid`` in text form.
        sam_account_name: ``sAMAccountName``.
        distinguished_name: ``distinguishedName``.
        domain: The domain's DNS name.
        enabled: Not ACCOUNTDISABLE.
        display_name: ``displayName``.
    """

    source_anchor: bytes
    upn: str
    sid: str | None = None
    sam_account_name: str | None = None
    distinguished_name: str | None = None
    domain: str | None = None
    enabled: bool = True
    display_name: str | None = None


@dataclass(slots=True)
class ImportReport:
    """What an import changed. ``conflicts`` names accounts that were left out: another has the same source anchor,
    or a value cannot be stored.
    """

    added: int = 0
    updated: int = 0
    restored: int = 0
    unchanged: int = 0
    removed: int = 0
    conflicts: list[str] = field(default_factory=list)


def import_users(
    database: Database, accounts: Iterable[ImportedUser], *, complete: bool = False, actor: str = "import"
) -> ImportReport:
    """Bring the registry's users in step with Active Directory.

    Each batch is a transaction of its own, so registrations go on meanwhile and an import that breaks off leaves whole
    batches.

    Args:
        database: The registry's database.
        accounts: The accounts, in any order; only a batch of them is held at a time.
        complete: Whether ``accounts`` is everybody: only then users that are not among them are (softly) deleted.
        actor: Who imports, for the audit trail.

    Raises:
        RegistryError: ``complete``, yet there was no account at all, which is a failed read and not an empty directory.
    """
    report = ImportReport()
    origin = audit.Origin(actor, clock.now())
    seen: set[str] = set()
    stream = iter(accounts)
    while batch := list(itertools.islice(stream, _BATCH)):
        _upsert(database, batch, seen, report, origin)
    if complete:
        _delete_missing(database, seen, report, origin)
    return report


def find_user(connection: Connection, *, user_id: str | None = None, upn: str | None = None) -> Row[Any] | None:
    """The one user, not deleted, with this id, this name, or both; None if there is none or the name is not unique."""
    names = {} if user_id is None else {"user_id": user_id}
    if upn is not None:
        names["upn_key"] = upn.casefold()
    rows = connection.execute(_FIND[frozenset(names)], names).all()
    return rows[0] if len(rows) == 1 else None


def set_enabled(database: Database, user_id: str, enabled: bool, *, actor: str) -> bool:
    """Enable or disable a user until the next import says otherwise; False if there is no such user."""
    origin = audit.Origin(actor, clock.now())
    with database.write() as connection:
        statement = update(users).where(users.c.id == user_id, users.c.deleted.is_(None))
        if connection.execute(statement.values(enabled=enabled, updated=origin.at)).rowcount == 0:
            return False
        audit.record(connection, origin, "enable user" if enabled else "disable user", user_id=user_id)
        changes.touch(connection, [user_id])
    return True


def _upsert(
    database: Database, batch: Sequence[ImportedUser], seen: set[str], report: ImportReport, origin: audit.Origin
) -> None:
    wanted: dict[str, dict[str, object]] = {}
    for account in batch:
        anchor = base64.b64encode(account.source_anchor).decode("ascii")
        if anchor in wanted or anchor in seen or not _is_storable(anchor, account):
            report.conflicts.append(account.distinguished_name or account.upn)
            continue
        wanted[anchor] = _values(account)
    seen.update(wanted)

    def apply(connection: Connection) -> tuple[int, int, int]:
        statement = select(users).where(users.c.source_anchor.in_(wanted))
        present = {row["source_anchor"]: row for row in connection.execute(statement).mappings()}
        added = []
        changed = []
        restored = 0
        for anchor, values in wanted.items():
            row = present.get(anchor)
            if row is None:
                new = {"id": str(uuid.uuid4()), "source_anchor": anchor, "created": origin.at}
                added.append({**new, **values, "updated": origin.at})
            elif row["deleted"] is not None or any(row[name] != value for name, value in values.items()):
                changed.append({"user_id": row["id"], **values, "updated": origin.at})
                restored += row["deleted"] is not None
        if added:
            connection.execute(insert(users), added)
        if changed:
            update_ = update(users).where(_BY_ID).values(deleted=None)
            connection.execute(
                update_.values({name: bindparam(name) for name in changed[0] if name != "user_id"}), changed
            )
        subjects = [(row["id"], "add user") for row in added] + [(row["user_id"], "update user") for row in changed]
        audit.record_all(connection, origin, subjects)
        changes.touch(connection, [str(user_id) for user_id, _ in subjects])
        return len(added), len(changed), restored

    added, changed, restored = database.transact(apply)
    report.added += added
    report.updated += changed
    report.restored += restored
    report.unchanged += len(wanted) - added - changed


def _is_storable(anchor: str, account: ImportedUser) -> bool:
    """Whether every database takes it: SQLite stores what PostgreSQL refuses (NUL, lone surrogates, long texts)."""
    values = {"source_anchor": anchor, **_values(account)}
    texts = [(str(value), users.c[name].type) for name, value in values.items() if isinstance(value, str)]
    return bool(anchor and account.upn) and all(
        isinstance(kind, String) and len(text) <= (kind.length or 0) and not _UNSTORABLE.search(text)
        for text, kind in texts
    )


def _values(account: ImportedUser) -> dict[str, object]:
    return {
        "upn": account.upn,
        "upn_key": account.upn.casefold(),
        "sid": account.sid,
        "sam_account_name": account.sam_account_name,
        "distinguished_name": account.distinguished_name,
        "domain": account.domain,
        "display_name": account.display_name,
        "enabled": account.enabled,
    }


def _delete_missing(database: Database, seen: set[str], report: ImportReport, origin: audit.Origin) -> None:
    with database.read() as connection:
        present = connection.execute(select(func.count()).where(users.c.deleted.is_(None))).scalar_one()
        if not seen and present:
            raise RegistryError(
                f"the import brought no account at all, while the registry has {present} users",
                not_done="no user was deleted",
                remedy="check the search base and the permissions of the account that reads the directory",
            )
        statement = select(users.c.id, users.c.source_anchor).where(users.c.deleted.is_(None))
        missing = [row.id for row in connection.execute(statement) if row.source_anchor not in seen]
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        with database.write() as connection:
            connection.execute(update(users).where(users.c.id.in_(batch)).values(deleted=origin.at, updated=origin.at))
            audit.record_all(connection, origin, [(user_id, "delete user") for user_id in batch])
            changes.touch(connection, batch)
    report.removed = len(missing)
