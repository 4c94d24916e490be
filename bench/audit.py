"""A million key credentials audited from an LDIF dump: every hash, every RSA key tested, as ``keytrust audit`` does it.

The dump is made of honest-looking RSA-2048 moduli (no small factors), one key on each user, folded lines, 1.1 GB for a
million. The audit runs in a process of its own; memory is the sum over it and its workers of their proportional share
(PSS), sampled while it runs, and the clock covers the whole command with its start.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import shake_256
from math import gcd, prod
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from bench.result import BenchResult
from keytrust.credential import Dialect, attribute_text, build, to_rsa1

VALUES = 1_000_000
TARGET_SECONDS = 60.0
TARGET_MB = 500.0

_START = datetime(2024, 1, 1, tzinfo=UTC)
_WIDTH = 76


def run(values: int = VALUES) -> list[BenchResult]:
    """Measure time and memory of one audit."""
    with TemporaryDirectory(prefix="keytrust-bench-") as folder:
        dump, report = Path(folder) / "dump.ldif", Path(folder) / "report.json"
        with dump.open("wb") as file:
            file.writelines(_records(values))
        seconds, megabytes = measure(
            [sys.executable, "-m", "keytrust", "audit", str(dump), "--format", "json", "-o", str(report)]
        )
        census = json.loads(report.read_text())["census"]
        if census["values"] != values or census["user_keys"] != values:
            raise RuntimeError("the audit did not see every value: the figure would be of something else")
        size = dump.stat().st_size / 1e6
    return [
        BenchResult.at_most("audit.seconds", seconds, "s", TARGET_SECONDS * values / VALUES),
        BenchResult.at_most("audit.memory", megabytes, "MB", TARGET_MB),
        BenchResult("audit.rate", values / seconds, "values/s"),
        BenchResult("audit.dump", size, "MB"),
    ]


def _records(values: int) -> Iterator[bytes]:
    side = int(values**0.5) + 1
    left, right = (list(_factors(side, name)) for name in (b"left", b"right"))
    for number in range(values):
        material = to_rsa1(left[number // side] * right[number % side], 65537)
        device, created = UUID(int=number + 1), _START + timedelta(seconds=61 * number % 60_000_000)
        credential = build(material, device_id=device, created=created, dialect=Dialect.ENTRA)
        dn = f"CN=User {number},OU=Staff,DC=example,DC=com"
        guid = b64encode(shake_256(b"guid %d" % number).digest(16))
        value = b"msDS-KeyCredentialLink: " + attribute_text(credential, dn).encode()
        folded = b"\n ".join(value[at : at + _WIDTH] for at in range(0, len(value), _WIDTH))
        yield (
            b"dn: %s\nobjectClass: top\nobjectClass: person\nobjectClass: user\nobjectGUID:: %s\n"
            b"sAMAccountName: user%d\nuserPrincipalName: user%d@example.com\nuserAccountControl: 512\n%s\n\n"
        ) % (dn.encode(), guid, number, number, folded)


def _factors(count: int, name: bytes) -> Iterator[int]:
    """Numbers of 1024 bits without small prime factors, so that their products pass for honest moduli."""
    small = prod(n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2)))
    seed = found = 0
    while found < count:
        seed += 1
        candidate = int.from_bytes(shake_256(name + b" %d" % seed).digest(128), "big") | 3 << 1022 | 1
        if gcd(candidate, small) == 1:
            found += 1
            yield candidate


def measure(command: list[str], expected: tuple[int, ...] = (0, 2)) -> tuple[float, float]:
    """Run a command; its seconds, and the most memory of it and its processes in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks = [0.0]
    sampler = threading.Thread(target=_sample, args=(process, peaks))
    sampler.start()
    status = process.wait()
    seconds = time.perf_counter() - began
    sampler.join()
    if status not in expected:
        raise RuntimeError(f"keytrust audit ended with {status}")
    return seconds, peaks[0]


def _sample(process: subprocess.Popen[bytes], peaks: list[float]) -> None:
    while process.poll() is None:
        peaks[0] = max(peaks[0], sum(_pss(pid) for pid in (process.pid, *_children(process.pid))))
        time.sleep(0.25)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _pss(pid: int) -> float:
    """Proportional set size in MB; 0 for a process that has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        return 0.0
    return 0.0
