"""``./script/soak [--minutes N]``: keys come and go while faults are injected; then both sides are compared.

The domain controller is frozen and thawed, values are deleted, the registry is silent, busy or breaks off its answers
for a while; in the first half of the time the service is killed and told to stop too. In the second half it lives on,
and its memory is sampled.

A few users are busy: they register keys and lose them, and never have many. Most have two that rest: so the directory
does not grow meanwhile, and the removals of a whole hour stay below a day's limit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import func, select
from tests.support.running import RunningService
from tests.support.unruly import Reply, Unruly, unruly

from bench.comparison import settled
from bench.population import key_material
from bench.result import BenchResult
from bench.site import bench_lab
from bench.traffic import NO_LIMITS, Traffic
from keytrust import interrupts
from keytrust.lab import Lab, LabUser
from keytrust.registry import Database, register_device
from keytrust.registry.audit import Origin
from keytrust.registry.keys import register_key
from keytrust.registry.users import find_user
from keytrust.service.mirror import chunks
from keytrust.store.database import open_store
from keytrust.store.mirror_tables import pending
from keytrust.sync.keycheck import key_faults

GROWTH_MEGABYTES = 20.0
USERS, MOST = 50, 4
"""Users who are busy, and how many keys each of them has at most."""
TOKEN_SECONDS = 600.0
"""How often the access token is renewed: it is good for an hour, and the soak takes longer."""
RESTING = 4_000
"""Users whose two keys rest."""


def main() -> None:
    """Soak, and print what came of it; exits with 1 when something must not be."""
    parser = argparse.ArgumentParser(prog="script/soak", description="Keys come and go while faults are injected.")
    parser.add_argument("--minutes", type=float, default=60.0, help="for how long (default: an hour)")
    given = parser.parse_args()
    interrupts.install()  # told to stop, it ends what it started
    with bench_lab("soak", 31) as lab, tempfile.TemporaryDirectory() as folder:
        results = soak(lab, Path(folder), given.minutes * 60)
        if any(result.met is False for result in results):
            kept = shutil.copytree(folder, tempfile.mkdtemp(prefix="keytrust-soak-"), dirs_exist_ok=True)
            print(f"soak: the service's log and store are kept in {kept}", file=sys.stderr)
    for result in results:
        print(json.dumps(asdict(result)))
    sys.exit(any(result.met is False for result in results))


def soak(lab: Lab, folder: Path, seconds: float, *, resting: int = RESTING) -> list[BenchResult]:
    """Soak for so many seconds, beside so many users whose keys rest."""
    busy = [LabUser(f"s{secrets.token_hex(4)}") for _ in range(USERS)]
    idle = [LabUser(f"r{secrets.token_hex(4)}") for _ in range(resting)]
    users = busy + idle
    for some in chunks(users):
        lab.add_users(some)
    try:
        with RunningService.beside_a_registry(lab, folder) as service, unruly(service.url) as cloud:
            service.extra = {
                **NO_LIMITS,
                "cloud": {"url": cloud.url},
                "directory": {"timeout": 5},
                "service": {"reconcile_hours": 0.02, "vanish_limit": 100},
            }
            service.enrol(*users)
            planted = {user.sam: service.plant(user).encode() for user in busy[:3]}
            traffic = Traffic(service, busy[3:], seconds_between=0.6, most=MOST, registered=_resting(service, idle))
            service.start()
            _await_keys(service, traffic.count())
            began = time.monotonic()
            samples: list[_Sample] = []
            faults, renewed = 0, began
            with traffic.flowing():
                while time.monotonic() < began + seconds:
                    time.sleep(random.uniform(2.0, 8.0))
                    if time.monotonic() > renewed + TOKEN_SECONDS:
                        service.renew_token()
                        renewed = time.monotonic()
                    lives = time.monotonic() > began + seconds / 2
                    faults += _fault(service, lab, traffic, cloud, lives=lives)
                    if lives:
                        samples.append(_Sample(_memory(service), traffic.count()))
            wrongs, writes = settled(service, users, traffic, planted)
            stuck = _stuck(service)
    finally:
        for some in chunks(users):
            lab.delete_users(some)
    if wrongs.total():
        print(wrongs, file=sys.stderr)
    settling = len(samples) // 5  # what a process needs in the beginning is no growth
    early, late = samples[settling : 2 * settling + 1], samples[-settling - 1 :]
    grown = median(each.megabytes for each in late) - median(each.megabytes for each in early)
    return [
        BenchResult("soak.minutes", seconds / 60, "min"),
        BenchResult("soak.faults", faults, "faults"),
        BenchResult("soak.writes", writes, "writes"),
        BenchResult.at_most("soak.wrongs", wrongs.total(), "wrongs", 0),
        BenchResult("soak.rightly_again", wrongs.rightly_again, "keys"),
        BenchResult.at_most("soak.stuck", stuck, "accounts", 0),
        BenchResult("soak.keys", median(each.keys for each in early), "keys"),
        BenchResult("soak.keys_later", median(each.keys for each in late), "keys"),
        BenchResult("soak.memory", median(each.megabytes for each in early), "MB"),
        BenchResult.at_most("soak.growth", grown, "MB", GROWTH_MEGABYTES),
    ]


class _Sample(NamedTuple):
    megabytes: float
    keys: int


def _resting(service: RunningService, users: list[LabUser]) -> dict[str, list[bytes]]:
    """Register keys for all of them, past HTTP; returns their KeyIDs."""
    devices = [uuid4() for _ in range(2)]
    keys = {user: {device: _strong_material() for device in devices} for user in users}
    with closing(Database.open(service.registry.database_url)) as database:
        for device in devices:
            register_device(database, device)
        for some in chunks(users):
            with database.write() as connection:
                for user in some:
                    row = find_user(connection, upn=service.upn(user))
                    assert row is not None
                    for device, material in keys[user].items():
                        origin = Origin("bench", time.time_ns() // 1000)
                        register_key(
                            connection, user_id=row.id, device_id=str(device), material=material, origin=origin
                        )
    return {user.sam: [sha256(material).digest() for material in keys[user].values()] for user in users}


def _strong_material() -> bytes:
    """A key that nothing is found wrong with, about one in twelve, and that nobody has."""
    while key_faults(material := key_material(random.getrandbits(64))):
        pass
    return material


def _await_keys(service: RunningService, count: int) -> None:
    """Wait until there is nothing left to do after the first complete read."""
    deadline = time.monotonic() + 60 + count / 20
    while left := _stuck(service):
        assert time.monotonic() < deadline, f"{left} accounts were left: {service.log.read_text()[-3000:]}"
        time.sleep(1)


def _fault(service: RunningService, lab: Lab, traffic: Traffic, cloud: Unruly, *, lives: bool) -> int:
    kinds: list[Callable[[], str] | None] = [
        None,
        lambda: _cleared(traffic),
        lambda: _misbehaving(cloud),
        lambda: _frozen(lab),
    ]
    if not lives:
        kinds += [lambda: _killed(service), lambda: _told_to_stop(service)]
    kind = random.choice(kinds)
    if kind is None:
        return 0
    began = datetime.now(UTC)
    what = f"{began:%H:%M:%S} {kind()}, until {datetime.now(UTC):%H:%M:%S}"
    print(f"soak: {what}; the service has {_memory(service):.0f} MB", file=sys.stderr, flush=True)
    return 1


def _cleared(traffic: Traffic) -> str:
    user = random.choice(traffic.users)
    traffic.somebody_clears(user)
    return f"somebody deletes the values of {user.sam}"


def _misbehaving(cloud: Unruly) -> str:
    manners = random.choice(("silent", "cut", "busy", "broken", "lost"))
    cloud.silent, cloud.cut = manners == "silent", manners == "cut"
    replies = {
        "busy": Reply(429, {"Retry-After": "3"}),
        "broken": Reply(503),
        "lost": Reply(410, {"Location": f"{cloud.url}/beta/users/delta"}),
    }
    cloud.reply = replies.get(manners)
    try:
        time.sleep(random.uniform(2.0, 10.0))
    finally:
        cloud.behave()
    return f"the cloud is {manners}"


def _killed(service: RunningService) -> str:
    service.kill()
    service.start(wait=False)
    return "the service is killed"


def _told_to_stop(service: RunningService) -> str:
    service.stop()  # with any code: it may be told so before it has begun
    service.start(wait=False)
    return "the service is told to stop"


def _frozen(lab: Lab) -> str:
    lab.pause_dc()
    try:
        time.sleep(random.uniform(3.0, 15.0))
    finally:
        lab.resume_dc()
    return "the domain controller is frozen"


def _stuck(service: RunningService) -> int:
    engine = open_store(service.store)
    with engine.connect() as connection:
        count: int = connection.execute(select(func.count()).select_from(pending)).scalar_one()
    engine.dispose()
    return count


def _memory(service: RunningService) -> float:
    try:
        pages = int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
