"""Planning for a whole domain: 100,000 users with one key each and nothing to change.

As in service, cloud users are all at hand, and accounts are streamed in as LDAP entries that have yet to be made into
accounts. They come from a file in place of the network; its reading is not counted. Runs in a process of its own, of
which the peak memory counts.
"""

from __future__ import annotations

import json
import marshal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256, shake_256
from time import perf_counter
from typing import IO
from uuid import UUID

from bench.memory import peak_megabytes
from bench.result import BenchResult
from keytrust.cloud.source import CloudUser, RegisteredKey, Reported
from keytrust.credential import Dialect, attribute_text, build, to_rsa1
from keytrust.directory.account import KEY_LINK, Account, from_entry, sid_text
from keytrust.memory import relax_garbage_collection
from keytrust.sync.model import Context
from keytrust.sync.planner import make_plan
from keytrust.sync.policy import Policy

USERS, PAGE = 100_000, 1000
TARGET_SECONDS, TARGET_MEGABYTES = 2.0, 300.0
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> list[BenchResult]:
    """Measure in a fresh process, three times; the median time and the largest memory count."""
    rounds = [_child() for _ in range(3)]
    seconds = sorted(each["seconds"] for each in rounds)[1]
    return [
        BenchResult.at_most("plan.100k_users", seconds, "s", TARGET_SECONDS),
        BenchResult.at_most(
            "plan.100k_users_memory", max(each["megabytes"] for each in rounds), "MB", TARGET_MEGABYTES
        ),
    ]


def _child() -> dict[str, float]:
    done = subprocess.run([sys.executable, "-m", "bench.plan"], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _measure() -> dict[str, float]:
    users: list[CloudUser] = []
    with tempfile.TemporaryFile() as accounts:
        for page in range(0, USERS, PAGE):
            people = [_person(number) for number in range(page, page + PAGE)]
            users += [user for user, _, _ in people]
            written = marshal.dumps([(dn, entry) for _, dn, entry in people])
            accounts.write(struct.pack("<I", len(written)) + written)
        accounts.seek(0)
        pages = _Pages(accounts)
        relax_garbage_collection()
        began = perf_counter()
        plan = make_plan(
            users,
            pages,
            policy=Policy(),
            wrote=lambda _guid, _values: {},
            dialect=Dialect.ENTRA,
            context=Context("corp.example", "S-1-5-21-1", "bench", _NOW),
        )
        seconds = perf_counter() - began - pages.reading
    assert not plan.changes
    assert plan.census.present == USERS
    return {"seconds": seconds, "megabytes": peak_megabytes()}


class _Pages:
    """Accounts from the file, page by page; ``reading`` sums up the seconds that the file itself took."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.reading = 0.0

    def __iter__(self) -> Iterator[Account]:
        while True:
            began = perf_counter()
            length = self._file.read(4)
            page = marshal.loads(self._file.read(*struct.unpack("<I", length))) if length else ()  # noqa: S302 - ours
            self.reading += perf_counter() - began
            if not page:
                return
            for dn, entry in page:
                yield from_entry(dn, entry)


def _person(number: int) -> tuple[CloudUser, str, dict[str, list[bytes]]]:
    material = to_rsa1(int.from_bytes(shake_256(b"%d" % number).digest(256), "big") | 1 << 2047 | 1, 65537)
    device = UUID(int=number)
    guid = sha256(b"guid %d" % number).digest()[:16]
    sid = bytes.fromhex("010500000000000515000000") + struct.pack("<4I", 1111111111, 2222222222, 3333333333, number)
    name, dn = f"user{number}", f"CN=User {number},OU=Staff,DC=corp,DC=example"
    key = RegisteredKey(material, device, created=_NOW)
    user = CloudUser(str(UUID(bytes=guid)), f"{name}@corp.example", guid, sid_text(sid), Reported((key,)))
    value = attribute_text(build(material, device_id=device, created=_NOW, dialect=Dialect.ENTRA), dn)
    entry = {
        "objectGUID": [guid],
        "objectSid": [sid],
        "sAMAccountName": [name.encode()],
        "userPrincipalName": [f"{name}@corp.example".encode()],
        "userAccountControl": [b"512"],
        KEY_LINK: [value.encode()],
    }
    return user, dn, entry


if __name__ == "__main__":
    print(json.dumps(_measure()))
