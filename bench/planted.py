"""A key planted by other people's tools while ``keytrust run`` is running: how soon it is told, and what else is.

Beside it users register keys all the time, and a registered key is written by another program: no alarm may be raised
of those.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dsinternals.common.cryptography.RSAKeyMaterial import RSAKeyMaterial
from dsinternals.common.data.hello.KeyCredential import KeyCredential as PeerCredential
from dsinternals.system.DateTime import DateTime
from dsinternals.system.Guid import Guid
from tests.support.peers import shadow_credentials
from tests.support.running import RunningService

from bench.result import BenchResult
from bench.site import bench_lab
from keytrust.credential import Dialect, attribute_text, build, rsa1_from_key
from keytrust.lab import Lab, LabUser

TIMES = 30
TARGET_SECONDS = 5.0


def run() -> list[BenchResult]:
    """Measure from before the tool is started to the service's log line."""
    with bench_lab() as lab, tempfile.TemporaryDirectory() as folder:
        seconds, false_alarms = plant_and_watch(lab, Path(folder), TIMES)
    return [
        BenchResult("planted.median", median(seconds), "s"),
        BenchResult.at_most("planted.worst", max(seconds), "s", TARGET_SECONDS),
        BenchResult.at_most("planted.false-alarms", false_alarms, "alarms", 0),
    ]


def plant_and_watch(lab: Lab, folder: Path, times: int) -> tuple[list[float], int]:
    """Plant so often, by turns with each tool; the seconds that each took to be told, and the false alarms."""
    victims = [LabUser(f"v{secrets.token_hex(4)}") for _ in range(times)]
    others = [LabUser(f"o{secrets.token_hex(4)}") for _ in range(times)]
    lab.add_users([*victims, *others])
    tools = [by_samba_tool, by_impacket, by_dsinternals]
    seconds = []
    try:
        with RunningService.beside_a_registry(lab, folder) as service:
            service.enrol(*victims, *others)
            service.start()
            for number, (victim, other) in enumerate(zip(victims, others, strict=True)):
                key = service.register(other)
                began = time.time()
                tools[number % len(tools)](service, victim)
                event = service.await_event("unexpected-value", account=victim.sam)
                seconds.append(datetime.fromisoformat(event["timestamp"]).timestamp() - began)
                service.await_values(other, 1)
                # The registered key once more, as another program writes it.
                made = build(
                    rsa1_from_key(key.public_key()), device_id=uuid4(), created=datetime.now(UTC), dialect=Dialect.ENTRA
                )
                _add(service, other, attribute_text(made, service.account(other).dn))
                service.await_event("foreign-value", account=other.sam)
            accused = {event["account"] for event in service.events("unexpected-value")}
    finally:
        lab.delete_users([*victims, *others])
    return seconds, len(accused - {victim.sam for victim in victims})


Tool = Callable[[RunningService, LabUser], None]


def by_samba_tool(service: RunningService, user: LabUser) -> None:
    """``samba-tool user keytrust add``."""
    public = (
        generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    script = 'f=$(mktemp) && cat >"$f" && samba-tool user keytrust add "$0" "$f"; status=$?; rm -f "$f"; exit $status'
    service.lab.run(["sh", "-c", script, user.sam], public.decode())


def by_impacket(service: RunningService, user: LabUser) -> None:
    """What impacket's ntlmrelayx plants."""
    private, _ = shadow_credentials.createSelfSignedX509Certificate(user.sam)
    made = shadow_credentials.KeyCredential(private, shadow_credentials.getDeviceId(), shadow_credentials.getTicksNow())
    _add(service, user, shadow_credentials.toDNWithBinary2String(made.dumpBinary(), user.dn(service.lab.spec.base_dn)))


def by_dsinternals(service: RunningService, user: LabUser) -> None:
    """What pywhisker and Certipy plant, which use this package."""
    numbers = generate_private_key(65537, 2048).public_key().public_numbers()
    dn = user.dn(service.lab.spec.base_dn)
    made = PeerCredential(RSAKeyMaterial(numbers.n, numbers.e, 2048), Guid(), dn, DateTime())
    _add(service, user, made.toDNWithBinary().toString())


def _add(service: RunningService, user: LabUser, value: str) -> None:
    dn = user.dn(service.lab.spec.base_dn)
    service.lab.apply_ldif(
        f"dn: {dn}\nchangetype: modify\nadd: msDS-KeyCredentialLink\nmsDS-KeyCredentialLink: {value}\n-\n\n"
    )
