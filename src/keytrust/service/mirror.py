"""The mirror of one domain and its key source in the store: what the feeds write, with what follows from it to do.

Every method works in the caller's transaction, so that a change, the cursor after it and the work it makes are kept
together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from keytrust.cloud.source import NGC, CloudUser
from keytrust.directory.account import Account
from keytrust.service.rows import Row, account_rows, key_rows, user_of, user_row
from keytrust.store.mirror_tables import account_values, accounts, cloud_keys, cloud_users, mirrors
from keytrust.sync.chain import value_id

CHUNK = 400
"""Values in one IN list."""
_LOCK = 0x6B65796E  # "keyn": PostgreSQL's advisory locks of mirrors

GONE = "gone"
"""The reason why nothing is known of a user who was deleted."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class NewValue:
    """A value that an account holds now and did not when it was last seen."""

    account: Account
    raw: bytes


@dataclass(frozen=True, slots=True)
class Mirror:
    """One domain's part of the mirror tables, by its number."""

    id: int

    @classmethod
    def open(cls, connection: Connection, *, domain_sid: str, name: str, source: str) -> Mirror:
        """The mirror of a domain; made if there is none, and begun anew when the key source is another one."""
        row = connection.execute(select(mirrors).where(mirrors.c.sid == domain_sid)).mappings().first()
        if row is None:
            made = {"sid": domain_sid, "name": name, "source": source, "stamp": 0, "paused": False}
            number = connection.execute(insert(mirrors).values(**made).returning(mirrors.c.id)).scalar_one()
            return cls(number)
        if row["source"] != source:
            reset = {"source": source, "rebuilt": None, "cloud_cursor": None}
            connection.execute(update(mirrors).where(mirrors.c.id == row["id"]).values(**reset))
        return cls(row["id"])

    def alone(self, connection: Connection) -> None:
        """Let no other transaction that asks for this change the mirror until this one ends.

        Feeds, worker and complete reads change the same rows, each in the order in which it finds them. SQLite has one
        writer at a time anyway; PostgreSQL would let several in, and break off one of those that wait for each other.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:what, :mirror)"), {"what": _LOCK, "mirror": self.id})

    def header(self, connection: Connection) -> Row:
        """The mirror's row in ``mirrors``."""
        return dict(connection.execute(select(mirrors).where(mirrors.c.id == self.id)).mappings().one())

    def save(self, connection: Connection, **values: Any) -> None:
        """Change fields of that row."""
        connection.execute(update(mirrors).where(mirrors.c.id == self.id).values(**values))

    # -- the cloud's side ---------------------------------------------------------------------------------------

    def put_users(self, connection: Connection, users: Sequence[CloudUser], stamp: int) -> set[bytes]:
        """Take in users as they are now; returns the accounts whose plan may be another one because of that."""
        affected: set[bytes] = set()
        for chunk in chunks(list({user.id: user for user in users}.values())):
            before = {row["id"]: row for row in self._user_rows(connection, [user.id for user in chunk])}
            rows = [user_row(self.id, stamp, user) for user in chunk]
            changed = {
                row["id"] for row in rows if row["id"] not in before or before[row["id"]]["digest"] != row["digest"]
            }
            confirmed = [name for name, row in before.items() if name not in changed and row["stamp"] < stamp]
            self._stamp(connection, cloud_users, cloud_users.c.id, confirmed, stamp)
            if not changed:
                continue
            new = [user for user in chunk if user.id in changed]
            old = [user_of(before[name]) for name in changed if name in before]
            self._drop_keys(connection, [user.id for user in old])
            upsert(connection, cloud_users, [row for row in rows if row["id"] in changed])
            upsert(connection, cloud_keys, [row for user in new for row in key_rows(self.id, user)])
            affected |= self._accounts_touched_by(connection, [*old, *new])
        return affected

    def drop_users(self, connection: Connection, ids: Iterable[str], stamp: int) -> set[bytes]:
        """Take in that users are gone. That says nothing about keys: their accounts match nobody from now on.

        Their rows are there afterwards, emptied, so that a complete read that is under way and has seen them does not
        revive them, known before or not.
        """
        affected: set[bytes] = set()
        for chunk in chunks(sorted(set(ids))):
            known = self._user_rows(connection, chunk)
            gone = [user_of(row) for row in known]
            self._drop_keys(connection, [user.id for user in gone])
            upns = dict.fromkeys(chunk, "") | {row["id"]: row["upn"] for row in known}
            empty = {"anchor": None, "sid": None, "known": False, "reason": GONE, "keys": b"", "digest": b""}
            rows = [{"mirror": self.id, "id": name, "upn": upn, **empty, "stamp": stamp} for name, upn in upns.items()]
            upsert(connection, cloud_users, rows)
            affected |= self._accounts_touched_by(connection, gone)
        return affected

    def _user_rows(self, connection: Connection, ids: Sequence[str]) -> list[Row]:
        query = select(cloud_users).where(cloud_users.c.mirror == self.id, cloud_users.c.id.in_(ids))
        return [dict(row) for row in connection.execute(query).mappings()]

    def _drop_keys(self, connection: Connection, ids: Sequence[str]) -> None:
        if ids:
            connection.execute(delete(cloud_keys).where(keys_of(self.id, ids)))

    def _accounts_touched_by(self, connection: Connection, users: Sequence[CloudUser]) -> set[bytes]:
        """Accounts that these users claim, and those of other users who share a key with them (rule 9)."""
        key_ids = {key.key_id for user in users for key in user.keys.keys if key.key_type == NGC}
        sharing: list[CloudUser] = []
        for chunk in chunks(sorted(key_ids)):
            query = (
                select(cloud_users)
                .join(
                    cloud_keys, (cloud_keys.c.mirror == cloud_users.c.mirror) & (cloud_keys.c.user == cloud_users.c.id)
                )
                .where(cloud_keys.c.mirror == self.id, cloud_keys.c.key_id.in_(chunk))
            )
            sharing += [user_of(row) for row in connection.execute(query).mappings()]
        claimants = {user.id: user for user in sharing} | {user.id: user for user in users}
        everybody = [*users, *(user for name, user in claimants.items())]
        anchors = {user.source_anchor for user in everybody if user.source_anchor is not None}
        sids = {user.sid for user in everybody if user.sid is not None}
        found = set(self.accounts_claimed(connection, anchors, sids))
        # An account that was made a moment ago is not mirrored yet: its anchor is its objectGUID as a rule.
        return found | {anchor for anchor in anchors if len(anchor) == 16}

    def accounts_claimed(
        self, connection: Connection, anchors: Iterable[bytes], sids: Iterable[str]
    ) -> Iterator[bytes]:
        """Accounts that carry one of these anchors or SIDs."""
        for column, wanted in ((accounts.c.anchor, sorted(anchors)), (accounts.c.sid, sorted(sids))):
            for chunk in chunks(wanted):
                query = select(accounts.c.guid).where(accounts.c.mirror == self.id, column.in_(chunk))
                yield from connection.execute(query).scalars()

    # -- the directory's side -----------------------------------------------------------------------------------

    def new_values(self, connection: Connection, found: Iterable[Account]) -> list[NewValue]:
        """The values of these accounts that are not mirrored yet."""
        new: list[NewValue] = []
        for chunk in chunks(list(found)):
            known = self._values(connection, [account.guid for account in chunk])
            these = ((account, raw) for account in chunk for raw in account.values)
            new += [NewValue(account, raw) for account, raw in these if value_id(account.guid, raw) not in known]
        return new

    def put_accounts(self, connection: Connection, found: Sequence[Account], stamp: int) -> set[bytes]:
        """Take in accounts as they are now; returns those to plan again because of that."""
        affected: set[bytes] = set()
        for chunk in chunks(list(found)):
            guids = [account.guid for account in chunk]
            query = select(accounts).where(accounts.c.mirror == self.id, accounts.c.guid.in_(guids))
            before = {row["guid"]: row for row in connection.execute(query).mappings()}
            made = [account_rows(self.id, stamp, account) for account in chunk]
            changed = [
                (account, rows)
                for account, rows in zip(chunk, made, strict=True)
                if account.guid not in before or before[account.guid]["digest"] != rows.account["digest"]
            ]
            names = [account.guid for account, _ in changed]
            confirmed = [guid for guid, row in before.items() if guid not in set(names) and row["stamp"] < stamp]
            self._stamp(connection, accounts, accounts.c.guid, confirmed, stamp)
            if not changed:
                continue
            old_values = self._values(connection, names)
            upsert(connection, accounts, [rows.account for _, rows in changed])
            self._replace_values(connection, names, [row for _, rows in changed for row in rows.values])
            touched = {value["public_id"] for value in old_values.values()}
            touched |= {row["public_id"] for _, rows in changed for row in rows.values}
            anchors = {account.source_anchor for account, _ in changed} | {
                before[g]["anchor"] for g in names if g in before
            }
            affected.update(names)
            affected.update(self.accounts_claimed(connection, anchors, ()))
            affected.update(self._accounts_with_registered(connection, touched))
        return affected

    def drop_accounts(self, connection: Connection, guids: Iterable[bytes]) -> set[bytes]:
        """Take in that accounts are gone; returns those that may be planned differently because of that."""
        affected: set[bytes] = set()
        for chunk in chunks(list(guids)):
            query = select(accounts).where(accounts.c.mirror == self.id, accounts.c.guid.in_(chunk))
            gone = list(connection.execute(query).mappings())
            if not gone:
                continue
            names = [row["guid"] for row in gone]
            touched = {value["public_id"] for value in self._values(connection, names).values()}
            self._replace_values(connection, names, [])
            connection.execute(delete(accounts).where(accounts.c.mirror == self.id, accounts.c.guid.in_(names)))
            affected.update(self.accounts_claimed(connection, {row["anchor"] for row in gone}, ()))
            affected.update(self._accounts_with_registered(connection, touched))
        return affected

    def _stamp(self, connection: Connection, table: Table, name: Column[Any], names: Sequence[Any], stamp: int) -> None:
        """What is as it was is as fresh as what changed: a complete read that saw it otherwise in between is older."""
        if names:
            connection.execute(update(table).where(table.c.mirror == self.id, name.in_(names)).values(stamp=stamp))

    def _values(self, connection: Connection, guids: Sequence[bytes]) -> dict[bytes, Row]:
        query = select(account_values).where(account_values.c.mirror == self.id, account_values.c.guid.in_(guids))
        return {row["value_id"]: dict(row) for row in connection.execute(query).mappings()}

    def _replace_values(self, connection: Connection, guids: Sequence[bytes], rows: list[Row]) -> None:
        connection.execute(
            delete(account_values).where(account_values.c.mirror == self.id, account_values.c.guid.in_(guids))
        )
        if rows:
            connection.execute(insert(account_values), rows)

    def _accounts_with_registered(self, connection: Connection, public_ids: Iterable[bytes | None]) -> Iterator[bytes]:
        """Accounts of users to whom one of these keys is registered: whether it is on another account counts there.

        By KeyID: for a key that is registered in another encoding than RSA1 the daily complete read makes up.
        """
        for chunk in chunks(sorted(each for each in public_ids if each is not None)):
            query = (
                select(accounts.c.guid)
                .join(
                    cloud_users,
                    (cloud_users.c.mirror == accounts.c.mirror) & (cloud_users.c.anchor == accounts.c.anchor),
                )
                .join(
                    cloud_keys, (cloud_keys.c.mirror == cloud_users.c.mirror) & (cloud_keys.c.user == cloud_users.c.id)
                )
                .where(cloud_keys.c.mirror == self.id, cloud_keys.c.key_id.in_(chunk))
            )
            yield from connection.execute(query).scalars()


def keys_of(mirror: int, ids: Select[Any] | Sequence[str]) -> ColumnElement[bool]:
    """Which rows of ``cloud_keys`` are of these users, as long as theirs of ``cloud_users`` are there."""
    user, key = cloud_users.c, cloud_keys.c
    names = select(func.coalesce(user.anchor, literal(b"", LargeBinary)), user.id)
    return and_(
        key.mirror == mirror, tuple_(key.anchor, key.user).in_(names.where(user.mirror == mirror, user.id.in_(ids)))
    )


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in parts of a size that an IN list takes."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def upsert(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows; one whose primary key is there already is replaced."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key.columns]
    rest = [column.name for column in table.columns if column.name not in keys]
    statement: Any
    statement = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    if rest:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in rest}
        )
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(statement, rows)
