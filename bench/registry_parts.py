"""Where the time of a registration goes: its parts measured one by one, in one thread, without HTTP between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import UUID

from bench.result import BenchResult
from keytrust.registry import Issuer, RegistrySettings
from keytrust.registry.audit import Origin
from keytrust.registry.database import Database
from keytrust.registry.keys import register_key
from keytrust.registry.registration import acceptable_material
from keytrust.registry.tokens import TokenVerifier
from keytrust.registry.users import find_user

_RUNS = 200


def parts(
    settings: RegistrySettings, issuer: Issuer, upns: Sequence[str], bodies: Sequence[bytes], materials: Sequence[bytes]
) -> list[BenchResult]:
    """Milliseconds of each part, median of 200.

    Args:
        settings: A registry that is not serving, or not busy.
        issuer: Whose tokens it accepts.
        upns: Users of it, with the devices 1, 2, … .
        bodies: Registration requests.
        materials: Keys that are not registered yet.
    """
    audience = settings.key_provision_resource
    tokens = [
        "Bearer " + issuer.device_token(audience=audience, upn=upn, device_id=UUID(int=number + 1))
        for number, upn in enumerate(upns[:_RUNS])
    ]
    verifier = TokenVerifier(settings)
    database = Database.open(settings.database_url)

    def verify(number: int) -> None:
        verifier.verify(tokens[number], audience=audience, purpose="register")

    def store(number: int) -> None:
        with database.write() as connection:
            user = find_user(connection, upn=upns[number])
            assert user is not None
            register_key(
                connection,
                user_id=user.id,
                device_id=str(UUID(int=number + 1)),
                material=materials[number],
                origin=Origin("bench", number),
            )

    results = [
        _timed("registry.part_token", verify),
        _timed("registry.part_key_check", lambda number: acceptable_material(bodies[number])),
        _timed("registry.part_transaction_alone", store),
    ]
    database.close()
    return results


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _timed(name: str, work: Callable[[int], object]) -> BenchResult:
    times = []
    for number in range(_RUNS):
        began = perf_counter()
        work(number)
        times.append((perf_counter() - began) * 1000)
    return BenchResult(name, median(times), "ms")
