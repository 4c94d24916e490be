"""Cloud users and accounts as rows of the mirror, and back. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keytrust.cloud.source import NGC, CloudUser, Reported, Unknown
from keytrust.directory.account import Account
from keytrust.service import keylist
from keytrust.sync.chain import value_id
from keytrust.sync.stored import StoredKey

Row = dict[str, Any]


def storable(text: str) -> str:
    """A text for people, without what PostgreSQL does not take in one."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def user_row(mirror: int, stamp: int, user: CloudUser) -> Row:
    """The row of ``cloud_users``; its digest covers everything of the user that a plan depends on."""
    known = isinstance(user.keys, Reported)
    reason = storable(user.keys.reason) if isinstance(user.keys, Unknown) else ""
    keys = keylist.pack(user.keys.keys)
    content = repr((user.id, user.source_anchor, user.sid, user.upn, known, reason)).encode("utf-8", "surrogatepass")
    return {
        "mirror": mirror,
        "id": user.id,
        "anchor": user.source_anchor,
        "sid": user.sid,
        "upn": storable(user.upn),
        "known": known,
        "reason": reason,
        "keys": keys,
        "digest": hashlib.blake2b(content + keys, digest_size=16).digest(),
        "stamp": stamp,
    }


def key_rows(mirror: int, user: CloudUser) -> list[Row]:
    """The rows of ``cloud_keys``: of its Windows Hello for Business keys, each once."""
    ids = {key.key_id for key in user.keys.keys if key.key_type == NGC}
    anchor = user.source_anchor or b""
    return [{"mirror": mirror, "anchor": anchor, "user": user.id, "key_id": key_id} for key_id in sorted(ids)]


def user_of(row: Mapping[Any, Any]) -> CloudUser:
    """The user whose row this is."""
    keys = keylist.unpack(row["keys"])
    return CloudUser(
        id=row["id"],
        upn=row["upn"],
        source_anchor=row["anchor"],
        sid=row["sid"],
        keys=Reported(keys) if row["known"] else Unknown(row["reason"], keys),
    )


@dataclass(frozen=True, slots=True)
class AccountRows:
    """An account's row and those of its values."""

    account: Row
    values: list[Row]


def account_rows(mirror: int, stamp: int, account: Account, digest: bytes | None = None) -> AccountRows:
    """The rows of ``accounts`` and ``account_values``; ``digest`` is the account's, when that is at hand."""
    values: list[Row] = []
    known: set[bytes] = set()
    for value in account.values:
        identity = value_id(account.guid, value)
        if identity in known:
            continue
        known.add(identity)
        stored = StoredKey.read(value)
        values.append(
            {
                "mirror": mirror,
                "guid": account.guid,
                "value_id": identity,
                "key_id": stored.key_id,
                "public_id": stored.public_key_id,
                "serves": stored.serves,
                "cloud_origin": stored.cloud_origin,
            }
        )
    row = {
        "mirror": mirror,
        "guid": account.guid,
        "anchor": account.source_anchor,
        "sid": account.sid,
        "name": storable(account.name),
        "digest": digest or account_digest(account),
        "stamp": stamp,
    }
    return AccountRows(row, values)


def account_digest(account: Account) -> bytes:
    """Covers what a plan depends on, but where the account is and what else it is called."""
    values = sorted(set(account.values))
    content = (
        account.guid,
        account.source_anchor,
        account.sid,
        account.name,
        account.computer,
        account.protected,
        *(() if account.enabled is not None else ("unknown",)),
        *map(len, values),
    )
    digest = hashlib.blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=16)
    for value in values:
        digest.update(value)
    return digest.digest()
