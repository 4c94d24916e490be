"""What one registry does on this host with SQLite: registrations, listing, and a delta read with nothing changed.

The registry is a process of its own, reached over HTTP on loopback by a client that shares the processors with it. A
registration counts when it was answered 200, which is after its commit was synced to disk; its commits are beside it,
synced by the same file system, to show how much of the time is the disk's. Beside it too, the parts of a registration
(verifying the token, checking the key, one transaction alone with its fsync) and the service's processor time for the
whole: what these leave is HTTP, routing and threads.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import shake_256
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import insert

from bench.registry_parts import cpu_seconds, parts
from bench.result import BenchResult
from keytrust.credential import to_rsa1, weaknesses
from keytrust.registry import Database, ImportedUser, Issuer, RegistrySettings, import_users
from keytrust.registry.tables import devices, keys, users

REGISTRATIONS, CLIENTS = 3000, 8
LISTED = 100_000
STORED = 1_000_000
TARGET_REGISTRATIONS, TARGET_LISTED, TARGET_DELTA = 300.0, 30_000.0, 20.0
_SELECT = "id,userPrincipalName,accountEnabled,onPremisesImmutableId,onPremisesSecurityIdentifier,deviceKeys"


def run() -> list[BenchResult]:
    """Measure each on a registry of its own."""
    with tempfile.TemporaryDirectory(prefix="keytrust-bench-") as directory:
        return [
            *_registrations(Path(directory) / "a"),
            *_listing(Path(directory) / "b"),
            *_delta(Path(directory) / "c"),
        ]


def _registrations(directory: Path) -> list[BenchResult]:
    with site(directory) as (settings, issuer, pid):
        database = Database.open(settings.database_url)
        import_users(database, [_account(number) for number in range(REGISTRATIONS)])
        fill_devices(database, REGISTRATIONS)
        database.close()
        audience = settings.key_provision_resource
        requests = []
        for number in range(REGISTRATIONS):
            token = issuer.device_token(audience=audience, upn=_account(number).upn, device_id=UUID(int=number + 1))
            body = json.dumps({"kngc": base64.b64encode(_acceptable(number)).decode()})
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            requests.append((body, headers))
        used = cpu_seconds(pid)
        began = perf_counter()
        threads = [
            threading.Thread(target=_register, args=(settings.url, requests[first::CLIENTS]))
            for first in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = REGISTRATIONS / (perf_counter() - began)
        cpu = (cpu_seconds(pid) - used) * 1000 / REGISTRATIONS
        database = Database.open(settings.database_url)
        with database.read() as connection:
            stored = connection.exec_driver_sql("SELECT count(*) FROM keys").scalar_one()
        database.close()
        if stored != REGISTRATIONS:
            raise RuntimeError(f"{stored} keys are stored, not {REGISTRATIONS}: the figure would be of something else")
        upns = [_account(number).upn for number in range(REGISTRATIONS)]
        more = [_acceptable(REGISTRATIONS + number) for number in range(200)]
        shares = parts(settings, issuer, upns, [body.encode() for body, _ in requests[:200]], more)
    return [
        BenchResult.at_least("registry.registrations", rate, "1/s", TARGET_REGISTRATIONS),
        BenchResult("registry.cpu_of_a_registration", cpu, "ms"),
        *shares,
        BenchResult("registry.fsyncs_of_the_disk", _fsync_rate(directory), "1/s"),
    ]


def _register(url: str, requests: list[tuple[str, dict[str, str]]]) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    for body, headers in requests:
        connection.request("POST", "/EnrollmentServer/key/?api-version=1.0", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a registration was answered {answer.status}: {content[:200]!r}")
    connection.close()


def _fsync_rate(directory: Path) -> float:
    with (directory / "fsync").open("wb") as file:
        began = perf_counter()
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return 200 / (perf_counter() - began)


def _listing(directory: Path) -> list[BenchResult]:
    with site(directory) as (settings, issuer, _):
        fill(settings, LISTED, with_keys=True)
        headers = reader(settings, issuer)
        rates = [_list_all(settings.url, headers) for _ in range(3)]
    return [BenchResult.at_least("registry.listed_with_keys", median(rates), "users/s", TARGET_LISTED)]


def _list_all(url: str, headers: dict[str, str]) -> float:
    path: str | None = f"/beta/users?$top=999&$select={_SELECT}"
    listed = 0
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    began = perf_counter()
    while path:
        connection.request("GET", path, headers=headers)
        page = connection.getresponse().read()
        # The client does as little as possible: it is the service that is measured.
        listed += page.count(b'"userPrincipalName"')
        _, found, rest = page[:2000].partition(b'"@odata.nextLink":"')
        path = rest.partition(b'"')[0].decode().removeprefix(url) if found else None
    seconds = perf_counter() - began
    connection.close()
    if listed != LISTED:
        raise RuntimeError(f"{listed} users were listed, not {LISTED}")
    return listed / seconds


def _delta(directory: Path) -> list[BenchResult]:
    with site(directory) as (settings, issuer, _):
        fill(settings, STORED, with_keys=False)
        headers = reader(settings, issuer)
        connection = HTTPConnection(urlsplit(settings.url).netloc, timeout=60)
        path = "/beta/users/delta?$deltatoken=latest&$select=id,deviceKeys"
        times = []
        for _ in range(51):
            began = perf_counter()
            connection.request("GET", path, headers=headers)
            body = json.loads(connection.getresponse().read())
            times.append((perf_counter() - began) * 1000)
            assert body["value"] == []
            path = body["@odata.deltaLink"].removeprefix(settings.url)
        connection.close()
    return [
        BenchResult.at_most("registry.delta_of_1m_unchanged", median(times[1:]), "ms", TARGET_DELTA),
        BenchResult.at_most("registry.delta_of_1m_unchanged_worst", max(times[1:]), "ms", TARGET_DELTA),
    ]


@contextmanager
def site(directory: Path) -> Iterator[tuple[RegistrySettings, Issuer, int]]:
    """A registry in a process of its own, stopped in the end: its settings with the real address, issuer and pid."""
    directory.mkdir()
    issuer = Issuer.open(directory / "issuer", algorithm="ES256")
    url = f"sqlite:///{directory}/registry.db"
    settings = RegistrySettings(database_url=url, port=0, issuers=(issuer.trusted(),), log_requests=False)
    (directory / "keytrust.toml").write_text(
        f'[registry]\ndatabase_url = "{url}"\nport = 0\nlog_requests = false\n'
        f'[[registry.issuers]]\nissuer = "{issuer.trusted().issuer}"\njwks_file = "{issuer.trusted().jwks_file}"\n'
    )
    command = [sys.executable, "-m", "keytrust", "registry", "serve", "--config", str(directory / "keytrust.toml")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        served = json.loads(process.stderr.readline())["url"]
        yield settings.model_copy(update={"port": urlsplit(served).port}), issuer, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def fill(settings: RegistrySettings, count: int, *, with_keys: bool) -> None:
    """Store users (and for each a device and a key) without going through the service."""
    database = Database.open(settings.database_url)
    for first in range(0, count, 10_000):
        numbers = range(first, min(first + 10_000, count))
        with database.write() as connection:
            connection.execute(insert(users), [_row(number) for number in numbers])
    if with_keys:
        fill_devices(database, count)
        for first in range(0, count, 10_000):
            with database.write() as connection:
                rows = [_key(number) for number in range(first, min(first + 10_000, count))]
                connection.execute(insert(keys), rows)
    database.close()


def fill_devices(database: Database, count: int) -> None:
    """Store devices."""
    with database.write() as connection:
        rows = [
            {"id": str(UUID(int=n + 1)), "display_name": f"PC {n}", "enabled": True, "created": 1} for n in range(count)
        ]
        connection.execute(insert(devices), rows)


def reader(settings: RegistrySettings, issuer: Issuer) -> dict[str, str]:
    """The header of an application that may read."""
    return {"Authorization": f"Bearer {issuer.reader_token(audience=settings.graph_resource)}"}


def material(number: int) -> bytes:
    """The RSA1 blob of a modulus that nobody can factor, nor we: only registering it matters."""
    return to_rsa1(int.from_bytes(shake_256(b"%d" % number).digest(256), "big") | 1 << 2047 | 1, 65537)


def _acceptable(number: int) -> bytes:
    """One like that without a small factor, which would be refused."""
    modulus = int.from_bytes(material(number)[-256:], "big")
    while weaknesses(modulus, 65537):
        modulus += 2
    return to_rsa1(modulus, 65537)


def _id(number: int) -> str:
    return str(UUID(bytes=shake_256(b"user %d" % number).digest(16)))


def _account(number: int) -> ImportedUser:
    anchor = number.to_bytes(16, "little")
    return ImportedUser(anchor, f"user{number}@corp.example", sid=f"S-1-5-21-1-2-3-{number + 1000}")


def _row(number: int) -> dict[str, object]:
    account = _account(number)
    return {
        "id": _id(number),
        "upn": account.upn,
        "upn_key": account.upn,
        "source_anchor": base64.b64encode(account.source_anchor).decode(),
        "sid": account.sid,
        "enabled": True,
        "created": 1,
        "updated": 1,
    }


def _key(number: int) -> dict[str, object]:
    blob = material(number)
    return {
        "kid": str(UUID(bytes=shake_256(b"kid %d" % number).digest(16))),
        "user_id": _id(number),
        "device_id": str(UUID(int=number + 1)),
        "key_id": shake_256(blob).digest(32).hex(),
        "material": blob,
        "created": 1,
    }
