"""The registry does the same on SQLite and on PostgreSQL, and loses nothing that it answered for on either."""

from __future__ import annotations

import base64
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from registry_process import process
from registry_site import ANY, DESKTOP, LAPTOP, Site, account, at_once, material, quick_material
from sqlalchemy import insert
from tests.support.postgres import PostgresServer

from keytrust.registry import import_users, totp
from keytrust.registry.audit import Origin
from keytrust.registry.keys import revoke_key
from keytrust.registry.sealing import Sealer
from keytrust.registry.tables import devices


def test_registering_replacing_and_reading_back(any_site: Site) -> None:
    first, again = (any_site.post(material(1), any_site.device_token()).json() for _ in range(2))
    assert first == again
    assert any_site.post(material(2), any_site.device_token(device=DESKTOP)).status_code == 200
    assert any_site.post(material(1), any_site.device_token("bob")).json()["code"] == "key_already_registered"
    assert any_site.post(material(3), any_site.device_token()).status_code == 200
    assert sorted(any_site.materials()) == sorted([material(2), material(3)])
    audits = any_site.get("/v1.0/auditLogs/directoryAudits").json()["value"]
    assert sum(entry["activityDisplayName"].startswith("Add Windows Hello") for entry in audits) == 3


def test_registrations_in_the_same_moment_leave_one_owner_and_one_key(any_site: Site) -> None:
    same = any_site.device_token()
    answers = at_once([lambda: any_site.post(material(1), same)] * 6)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["kid"] for answer in answers}) == 1
    tokens = [any_site.device_token(name) for name in ("bob", "carol")] * 3
    contested = at_once([lambda token=token: any_site.post(material(2), token) for token in tokens])  # type: ignore[misc]
    assert {answer.status_code for answer in contested} == {200, 400}
    assert len({answer.json()["upn"] for answer in contested if answer.status_code == 200}) == 1
    replaced = at_once([lambda number=number: any_site.post(material(number), same) for number in range(3, 9)])  # type: ignore[misc]
    assert {answer.status_code for answer in replaced} == {200}
    assert len(any_site.materials()) == 1


def test_a_delta_reader_misses_no_change_of_many_writers(any_site: Site) -> None:
    """Numbers of changes must become visible in their order, or a reader would step over one that commits late."""
    names = [f"user{number}" for number in range(12)]
    import_users(any_site.database, [account(name) for name in names])
    link = any_site.get("/beta/users/delta?$deltatoken=latest&$select=userPrincipalName,deviceKeys").json()
    link = link["@odata.deltaLink"]
    stop = threading.Event()
    seen: dict[str, list[str]] = {}

    def read(link: str) -> str:
        while True:
            body = httpx.get(link, headers=any_site.reader()).json()
            for item in body["value"]:
                seen[item["userPrincipalName"]] = [key["deviceId"] for key in item["deviceKeys"]]
            if "@odata.deltaLink" in body:
                return str(body["@odata.deltaLink"])
            link = body["@odata.nextLink"]

    def keep_reading() -> str:
        at = link
        while not stop.is_set():
            at = read(at)
        return read(at)

    def write(name: str) -> None:
        for number in range(3):
            blob = quick_material(1000 * names.index(name) + number)
            assert (
                any_site.post(blob, any_site.device_token(name, DESKTOP if number % 2 else LAPTOP)).status_code == 200
            )

    with ThreadPoolExecutor(1) as readers, ThreadPoolExecutor(6) as writers:
        reader = readers.submit(keep_reading)
        list(writers.map(write, names))
        stop.set()
        reader.result(60)
    assert {name: sorted(devices) for name, devices in seen.items()} == {
        f"{name}@example.org": sorted([str(LAPTOP), str(DESKTOP)]) for name in names
    }


def test_users_who_leave_and_come_back_and_a_revoked_key_are_in_the_delta(any_site: Site) -> None:
    kid = any_site.post(material(1), any_site.device_token()).json()["kid"]
    alice = any_site.read()["alice"].id
    link = any_site.get("/beta/users/delta?$deltatoken=latest&$select=deviceKeys").json()["@odata.deltaLink"]
    assert revoke_key(any_site.database, user_id=alice, kid=kid, origin=Origin("test", 1))
    import_users(any_site.database, [account("alice"), account("carol")], complete=True, limit=ANY)
    changed = httpx.get(link, headers=any_site.reader()).json()
    items = {item["id"]: item for item in changed["value"]}
    assert items[alice]["deviceKeys"] == []
    assert [item["@removed"] for item in items.values() if "@removed" in item] == [{"reason": "changed"}]
    import_users(any_site.database, [account("bob")])
    back = httpx.get(changed["@odata.deltaLink"], headers=any_site.reader()).json()["value"]
    assert len(back) == 1
    assert "@removed" not in back[0]


def test_a_one_time_code_is_good_for_one_of_many_who_use_it_at_once(any_site: Site, tmp_path: Path) -> None:
    alice, sealer, now = any_site.read()["alice"].id, Sealer(tmp_path / "keys"), 1_800_000_000
    origin = Origin("test", 1)
    uri = totp.enrol(any_site.database, sealer, alice, account="a", issuer="b", origin=origin, replace=False)
    secret = base64.b32decode(parse_qs(urlsplit(uri or "").query)["secret"][0])
    code = TOTP(secret, 6, SHA1(), 30).generate(now).decode()  # noqa: S303
    verdicts = at_once([lambda: totp.use_code(any_site.database, sealer, alice, code, now * 1_000_000)] * 8)
    assert sum(verdict.right for verdict in verdicts) == 1
    with any_site.database.read() as connection:
        row = totp.find(connection, alice)
    assert row is not None
    assert row.failures == totp.FREE_FAILURES + 1, "every try was counted, until the lock"


class Registrants:
    """Clients that register one key after the other, each on a device of its own, and remember what was answered 200.

    Once a kill is under way any answer may fail to come; what came stays a promise.
    """

    def __init__(self, site: Site, count: int) -> None:
        self._stop = threading.Event()
        made = [[UUID(int=random.getrandbits(128)) for _ in range(100)] for _ in range(count)]
        with site.database.write() as connection:
            for device in itertools.chain(*made):
                connection.execute(
                    insert(devices), {"id": str(device), "display_name": "", "enabled": True, "created": 1}
                )
        self._threads = [threading.Thread(target=self._run, args=(site, own)) for own in made]
        self.answered: dict[UUID, bytes] = {}
        self.refused: list[httpx.Response] = []
        for thread in self._threads:
            thread.start()

    def _run(self, site: Site, own: list[UUID]) -> None:
        for device in own:
            if self._stop.is_set():
                return
            blob = quick_material(device.int)
            try:
                answer = site.post(blob, site.device_token("alice", device))
            except httpx.TransportError:
                return
            if answer.status_code != 200:
                self.refused.append(answer)
                return
            self.answered[device] = blob

    def wait_for(self, count: int) -> None:
        """Return when so many were answered."""
        _until(lambda: len(self.answered) >= count or bool(self.refused))
        assert not self.refused, self.refused[0].text

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def _until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_what_was_answered_200_survives_kill_9_at_any_moment(tmp_path: Path, database_url: str) -> None:
    site = Site.make(tmp_path, database_url=database_url, registrations_per_minute=0)
    moments = random.Random()  # noqa: S311 - when to kill is no secret
    promised: dict[UUID, bytes] = {}
    try:
        for _ in range(3):
            with process(site) as (server, serving):
                held = dict(zip(_devices(serving), serving.materials(), strict=True))
                assert promised.items() <= held.items()
                clients = Registrants(serving, 4)
                clients.wait_for(5)
                time.sleep(moments.uniform(0, 0.1))
                os.kill(server.pid, signal.SIGKILL)
                server.wait(20)
                clients.stop()
                promised |= clients.answered
        with process(site) as (_, serving):
            held = dict(zip(_devices(serving), serving.materials(), strict=True))
            assert promised.items() <= held.items()
            assert len(promised) >= 15
            assert serving.post(material(1), serving.device_token("bob")).status_code == 200
    finally:
        site.database.close()


def test_what_was_answered_200_survives_a_crash_of_postgresql_and_the_registry_goes_on(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    site = Site.make(tmp_path, database_url=postgres_url, registrations_per_minute=0)
    try:
        with process(site) as (_, serving):
            clients = Registrants(serving, 4)
            clients.wait_for(10)
            postgres.stop()
            try:
                clients.stop()
                assert httpx.get(f"{serving.url}/healthz").status_code == 200
                assert httpx.get(f"{serving.url}/readyz").status_code == 503
                away = serving.post(material(1), serving.device_token())
                assert (away.status_code, away.json()["response"]) == (503, "ERROR_FAIL")
                assert int(away.headers["Retry-After"]) > 0
                assert serving.get("/v1.0/users").status_code == 503
            finally:
                postgres.start()
            assert {answer.status_code for answer in clients.refused} <= {503}
            _until(lambda: httpx.get(f"{serving.url}/readyz").status_code == 200)
            held = dict(zip(_devices(serving), serving.materials(), strict=True))
            assert clients.answered.items() <= held.items()
            assert serving.post(material(1), serving.device_token()).status_code == 200
    finally:
        site.database.close()


def _devices(site: Site) -> list[UUID]:
    found = site.read()["alice"].keys.keys  # type: ignore[union-attr]
    return [key.device_id for key in found]
