"""A population of any size in wire forms, made once into a file and played from it: Graph JSON pages, LDAP entries."""

from __future__ import annotations

import base64
import json
import marshal
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256, shake_256
from pathlib import Path
from time import perf_counter
from typing import IO
from uuid import UUID

from keytrust.cloud.delta import Changes
from keytrust.cloud.pages import spooled_items
from keytrust.cloud.source import CloudUser, Progress
from keytrust.cloud.user_json import parse_user
from keytrust.credential import Dialect, attribute_text, build, to_rsa1
from keytrust.directory.account import KEY_LINK, Account, from_entry

PAGE = 999
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make(folder: Path, users: int) -> None:
    """Write ``cloud`` and ``directory`` files for so many users with one key each, in step with each other."""
    with (folder / "cloud").open("wb") as cloud, (folder / "directory").open("wb") as directory:
        for start in range(0, users, PAGE):
            people = [_person(number) for number in range(start, min(users, start + PAGE))]
            _write(cloud, json.dumps({"value": [user for user, _, _ in people]}, separators=(",", ":")).encode())
            _write(directory, marshal.dumps([(dn, entry) for _, dn, entry in people]))


class PlayedSource:
    """The cloud's side. ``reading`` sums up the seconds that the file itself took.

    Args:
        folder: Where ``make`` wrote.
        renamed: Every so many users have another name than ``make`` gave them.
    """

    name = "played"

    def __init__(self, folder: Path, renamed: int | None = None) -> None:
        self._path = folder / "cloud"
        self._renamed = renamed
        self.reading = 0.0

    def latest(self) -> str:
        return "0"

    def changes(self, cursor: str | None = None) -> Changes:
        return Changes((), {}, cursor or "0")

    def read(self, progress: Progress | None = None) -> Iterator[CloudUser]:
        number = 0
        for body in _pages(self._path, self):
            for item in spooled_items(body):
                number += 1
                if self._renamed and not number % self._renamed and isinstance(item, dict):
                    item["userPrincipalName"] = f"renamed-{item['userPrincipalName']}"
                yield parse_user(item)


class PlayedDirectory:
    """The directory's side; arguments as for ``PlayedSource``."""

    def __init__(self, folder: Path, renamed: int | None = None) -> None:
        self._path = folder / "directory"
        self._renamed = renamed
        self.reading = 0.0

    def accounts(self) -> Iterator[Account]:
        number = 0
        for body in _pages(self._path, self):
            for dn, entry in marshal.loads(body):  # noqa: S302 - ours
                number += 1
                if self._renamed and not number % self._renamed:
                    entry["sAMAccountName"] = [b"renamed-" + entry["sAMAccountName"][0]]
                yield from_entry(dn, entry)


def _write(file: IO[bytes], body: bytes) -> None:
    file.write(struct.pack("<I", len(body)) + body)


def _pages(path: Path, clock: PlayedSource | PlayedDirectory) -> Iterator[bytes]:
    with path.open("rb") as file:
        while True:
            began = perf_counter()
            length = file.read(4)
            body = file.read(*struct.unpack("<I", length)) if length else b""
            clock.reading += perf_counter() - began
            if not body:
                return
            yield body


def key_material(number: int) -> bytes:
    """A key in the RSA1 form; nobody has its private half, or knows whether there is one."""
    return to_rsa1(int.from_bytes(shake_256(b"%d" % number).digest(256), "big") | 1 << 2047 | 1, 65537)


def _person(number: int) -> tuple[dict[str, object], str, dict[str, list[bytes]]]:
    material = key_material(number)
    device = UUID(int=number)
    guid = sha256(b"guid %d" % number).digest()[:16]
    sid = bytes.fromhex("010500000000000515000000") + struct.pack("<4I", 1111111111, 2222222222, 3333333333, number)
    name, dn = f"user{number}", f"CN=User {number},OU=Staff,DC=corp,DC=example"
    user = {
        "id": str(UUID(bytes=sha256(guid).digest()[:16])),
        "userPrincipalName": f"{name}@corp.example",
        "accountEnabled": True,
        "onPremisesImmutableId": base64.b64encode(guid).decode(),
        "onPremisesSecurityIdentifier": f"S-1-5-21-1111111111-2222222222-3333333333-{number}",
        "onPremisesDistinguishedName": dn,
        "onPremisesDomainName": "corp.example",
        "onPremisesSamAccountName": name,
        "onPremisesSyncEnabled": True,
        "deviceKeys": [{"deviceId": str(device), "keyType": "NGC", "keyMaterial": base64.b64encode(material).decode()}],
    }
    value = attribute_text(build(material, device_id=device, created=NOW, dialect=Dialect.ENTRA), dn)
    entry = {
        "objectGUID": [guid],
        "objectSid": [sid],
        "sAMAccountName": [name.encode()],
        "userPrincipalName": [f"{name}@corp.example".encode()],
        "userAccountControl": [b"512"],
        KEY_LINK: [value.encode()],
    }
    return user, dn, entry
