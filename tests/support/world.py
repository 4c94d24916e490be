"""Accounts, cloud users and keys for planning tests, made small and cheap."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import rsa

from keytrust.cloud.source import CloudUser, KeyList, RegisteredKey, Reported
from keytrust.credential import Dialect, attribute_text, build, rsa1_from_key
from keytrust.directory.account import Account
from keytrust.sync.model import Context, Plan
from keytrust.sync.planner import Wrote, make_plan
from keytrust.sync.policy import Policy
from keytrust.sync.scope import EVERYBODY, Scope

DOMAIN = "DC=corp,DC=example"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONTEXT = Context("corp.example", "S-1-5-21-1-2-3", "test", NOW)


@cache
def material(number: int) -> bytes:
    """The RSA1 blob of an honest RSA-2048 key; equal numbers give equal keys within a test run."""
    return rsa1_from_key(rsa.generate_private_key(65537, 2048).public_key())


def key(number: int, **fields: object) -> RegisteredKey:
    given = {"device_id": UUID(int=number), "created": NOW} | fields
    return RegisteredKey(material(number), **given)  # type: ignore[arg-type]


def guid(name: str) -> bytes:
    return hashlib.md5(name.encode(), usedforsecurity=False).digest()


def sid(name: str) -> str:
    return f"S-1-5-21-1-2-3-{int.from_bytes(guid(name)[:3], 'big')}"


def dn(name: str) -> str:
    return f"CN={name},OU=People,{DOMAIN}"


def account(name: str, *values: bytes, **fields: object) -> Account:
    given = {
        "dn": dn(name),
        "guid": guid(name),
        "sid": sid(name),
        "name": name,
        "upn": f"{name}@corp.example",
        "consistency_guid": None,
        "computer": False,
        "enabled": True,
        "protected": False,
        "values": values,
    } | fields
    return Account(**given)  # type: ignore[arg-type]


def cloud_user(name: str, keys: KeyList | tuple[RegisteredKey, ...] = (), **fields: object) -> CloudUser:
    given = {
        "id": f"id-{name}",
        "upn": f"{name}@corp.example",
        "source_anchor": guid(name),
        "sid": sid(name),
        "keys": Reported(keys) if isinstance(keys, tuple) else keys,
    } | fields
    return CloudUser(**given)  # type: ignore[arg-type]


def value(name: str, number: int, dialect: Dialect = Dialect.ENTRA, **fields: object) -> bytes:
    """The attribute value for key ``number`` on account ``name``."""
    credential = build(material(number), device_id=UUID(int=number), created=NOW, dialect=dialect, **fields)  # type: ignore[arg-type]
    return attribute_text(credential, dn(name)).encode()


class Ours:
    """The journal's knowledge, by hand."""

    def __init__(self, *values: tuple[str, bytes]) -> None:
        self._values = {(guid(name), raw) for name, raw in values}

    def __call__(self, account_guid: bytes, raws: Sequence[bytes]) -> dict[bytes, str]:
        return {raw: "run-1" for raw in raws if (account_guid, raw) in self._values}


def plan(
    users: list[CloudUser],
    accounts: list[Account],
    *,
    policy: Policy | None = None,
    ours: Wrote | None = None,
    dialect: Dialect = Dialect.ENTRA,
    allow_removals: int | None = None,
    scope: Scope = EVERYBODY,
) -> Plan:
    return make_plan(
        users,
        accounts,
        policy=policy or Policy(),
        wrote=ours or Ours(),
        dialect=dialect,
        context=CONTEXT,
        allow_removals=allow_removals,
        scope=scope,
    )
