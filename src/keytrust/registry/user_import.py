"""Keeping the registry's users in step with Active Directory."""

from __future__ import annotations

import base64
import itertools
import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, String, bindparam, func, insert, select, update

from keytrust.errors import RegistryError
from keytrust.registry import audit, changes, clock
from keytrust.registry.database import Database
from keytrust.registry.tables import users
from keytrust.registry.users import delete_users, purge_users

_BATCH = 500
_SHOWN = 1000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


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
        enabled: Not ACCOUNTDISABLE; None when that could not be read.
        display_name: ``displayName``.
    """

    source_anchor: bytes
    upn: str
    sid: str | None = None
    sam_account_name: str | None = None
    distinguished_name: str | None = None
    domain: str | None = None
    enabled: bool | None = True
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class DeletionLimit:
    """How many users one import may delete: what looks like everybody gone is a failed read until a person says not.

    Attributes:
        count: Most deletions.
        share: Most deletions as a share of the users there are. The lower of the two counts; one is always allowed.
        raised_to: What a person allowed for this one import, in place of both.
    """

    count: int = 500
    share: float = 0.05
    raised_to: int | None = None

    def allowed(self, population: int) -> int:
        """How many of so many users may be deleted."""
        if self.raised_to is not None:
            return self.raised_to
        return max(1, min(self.count, int(population * self.share)))


@dataclass(slots=True)
class ImportReport:
    """What an import changed, or with ``dry_run`` would change.

    Attributes:
        added: New users.
        updated: Users of whom something changed, restored ones included.
        restored: Deleted users whose account is back.
        unchanged: Users as they were.
        removed: Users deleted softly, because their account is gone.
        held: Users whose account is gone, who were not deleted, because they are more than ``allowed``.
        allowed: How many could be deleted.
        purged: Users deleted so long ago that they were removed for good.
        missing: The names of those whose account is gone, at most 1000.
        unknown: Accounts of which it could not be read whether they are enabled: a user that is known stays as it was,
            and none is added.
        conflicts: Accounts that were left out: another has the same source anchor, or a value cannot be stored.
        dry_run: Whether nothing was changed.
    """

    added: int = 0
    updated: int = 0
    restored: int = 0
    unchanged: int = 0
    removed: int = 0
    held: int = 0
    allowed: int = 0
    purged: int = 0
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    dry_run: bool = False


def import_users(
    database: Database,
    accounts: Iterable[ImportedUser],
    *,
    complete: bool = False,
    limit: DeletionLimit | None = None,
    dry_run: bool = False,
    actor: str = "import",
) -> ImportReport:
    """Bring the registry's users in step with one reading of Active Directory.

    Args:
        database: The registry's database.
        accounts: The accounts, in any order; only a batch of them is held at a time.
        complete: Whether ``accounts`` is everybody: only then users that are not among them are (softly) deleted.
        limit: How many may be.
        dry_run: Change nothing.
        actor: Who imports, for the audit trail.

    Raises:
        RegistryError: ``complete``, yet there was no account at all, which is a failed read and not an empty directory.
    """
    run = UserImport(database, dry_run=dry_run, actor=actor)
    run.take(accounts)
    if complete:
        run.delete_missing(limit or DeletionLimit())
    return run.report


class UserImport:
    """One import, of the accounts of one or more domains.

    Each batch is a transaction of its own, so registrations go on meanwhile and an import that breaks off leaves whole
    batches.

    Args:
        database: The registry's database.
        dry_run: Change nothing, and report what would be.
        actor: Who imports, for the audit trail.
    """

    def __init__(self, database: Database, *, dry_run: bool = False, actor: str = "import") -> None:
        self.report = ImportReport(dry_run=dry_run)
        self._database = database
        self._origin = audit.Origin(actor, clock.now())
        self._seen: set[str] = set()

    def take(self, accounts: Iterable[ImportedUser]) -> int:
        """Add and update users. How many accounts there were."""
        before = len(self._seen)
        stream = iter(accounts)
        while batch := list(itertools.islice(stream, _BATCH)):
            self._upsert(batch)
        return len(self._seen) - before

    def delete_missing(self, limit: DeletionLimit, domains: Collection[str] | None = None) -> None:
        """Delete, softly, the users whose accounts were not taken.

        Args:
            limit: How many at most; if there are more, nobody is deleted and the report says so.
            domains: The domains that were read to their ends: only their users are looked at. None for all users.

        Raises:
            RegistryError: no account was taken at all.
        """
        present: ColumnElement[bool] = users.c.deleted.is_(None)
        if domains is not None:
            present &= func.lower(users.c.domain).in_([name.lower() for name in domains])
        with self._database.read() as connection:
            rows = connection.execute(select(users.c.id, users.c.upn, users.c.source_anchor).where(present))
            population, missing = 0, []
            for row in rows:
                population += 1
                if row.source_anchor not in self._seen:
                    missing.append((str(row.id), str(row.upn)))
        if population and not self._seen:
            raise RegistryError(
                f"the import brought no account at all, while the registry has {population} users",
                not_done="no user was deleted",
                remedy="check the search base and the permissions of the account that reads the directory",
            )
        report = self.report
        report.allowed = limit.allowed(population)
        report.missing = [upn for _, upn in missing[:_SHOWN]]
        if len(missing) > report.allowed:
            report.held = len(missing)
            return
        report.removed = len(missing)
        if report.dry_run:
            return
        with self._database.write() as connection:
            gone = [user_id for user_id, _ in missing]
            delete_users(connection, gone, origin=self._origin, reason="the account is gone from the directory")

    def purge(self) -> None:
        """Remove for good who was deleted longer ago than deleted users are kept."""
        if not self.report.dry_run:
            self.report.purged = purge_users(self._database, origin=self._origin)

    def _upsert(self, batch: Sequence[ImportedUser]) -> None:
        report = self.report
        wanted: dict[str, dict[str, object]] = {}
        for account in batch:
            anchor = base64.b64encode(account.source_anchor).decode("ascii")
            if anchor in wanted or anchor in self._seen or not _is_storable(anchor, account):
                report.conflicts.append(account.distinguished_name or account.upn)
                continue
            if account.enabled is None:
                report.unknown.append(account.distinguished_name or account.upn)
                self._seen.add(anchor)
                continue
            wanted[anchor] = _values(account)
        self._seen.update(wanted)
        if report.dry_run:
            with self._database.read() as connection:
                step = _Step(connection, wanted, self._origin.at)
        else:
            step = self._database.transact(lambda connection: self._apply(connection, wanted))
        report.added += len(step.added)
        report.updated += len(step.changed)
        report.restored += step.restored
        report.unchanged += len(wanted) - len(step.added) - len(step.changed)

    def _apply(self, connection: Connection, wanted: dict[str, dict[str, object]]) -> _Step:
        step = _Step(connection, wanted, self._origin.at)
        if step.added:
            connection.execute(insert(users), step.added)
        if step.changed:
            names: dict[str, Any] = {name: bindparam(name) for name in step.changed[0] if name != "user_id"}
            statement = update(users).where(users.c.id == bindparam("user_id"))
            connection.execute(statement.values(deleted=None, **names), step.changed)
        subjects = [(str(row["id"]), "add user") for row in step.added]
        subjects += [(str(row["user_id"]), "update user") for row in step.changed]
        audit.record_all(connection, self._origin, subjects)
        changes.touch(connection, [user_id for user_id, _ in subjects])
        return step


class _Step:
    """What a batch changes, seen from what is stored."""

    def __init__(self, connection: Connection, wanted: dict[str, dict[str, object]], at: int) -> None:
        self.added: list[dict[str, object]] = []
        self.changed: list[dict[str, object]] = []
        self.restored = 0
        statement = select(users).where(users.c.source_anchor.in_(wanted))
        present: dict[Any, RowMapping] = {row["source_anchor"]: row for row in connection.execute(statement).mappings()}
        for anchor, values in wanted.items():
            row = present.get(anchor)
            if row is None:
                new = {"id": str(uuid.uuid4()), "source_anchor": anchor, "created": at, "updated": at}
                self.added.append({**new, **values})
            elif row["deleted"] is not None or any(row[name] != value for name, value in values.items()):
                self.changed.append({"user_id": row["id"], **values, "updated": at})
                self.restored += row["deleted"] is not None


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
