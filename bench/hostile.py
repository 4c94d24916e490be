"""Dumps that nobody should make: an endless line, broken base64, nested garbage, ten million distinct names.

Each ends in findings or in one error; what is measured is the memory and the time that it takes until then.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.audit import measure
from bench.result import BenchResult

DISTINCT = 10_000_000
TARGET_MB = 500.0
TARGET_SECONDS = 600.0
_FINDINGS, _ERROR = 0, 1


def run(distinct: int = DISTINCT) -> list[BenchResult]:
    """Measure each."""
    return [result for name, (make, ends) in _dumps(distinct).items() for result in _one(name, make, ends)]


def _dumps(distinct: int) -> dict[str, tuple[Callable[[], Iterator[bytes]], int]]:
    return {
        "endless-line": (_endless_line, _ERROR),
        "broken-base64": (partial(_broken_base64, distinct // 30), _FINDINGS),
        "nested": (partial(_nested, distinct // 20_000), _FINDINGS),
        "distinct-names": (partial(_distinct, distinct), _FINDINGS),
    }


def _one(name: str, make: Callable[[], Iterator[bytes]], ends: int) -> list[BenchResult]:
    with TemporaryDirectory(prefix="keytrust-bench-") as folder:
        dump, report = Path(folder) / "dump.ldif", Path(folder) / "report.json"
        with dump.open("wb") as file:
            file.writelines(make())
        command = [sys.executable, "-m", "keytrust", "audit", str(dump), "--format", "json", "-o", str(report)]
        seconds, megabytes = measure([*command, "--fail-on", "critical"], expected=(ends,))
        found = sum(json.loads(report.read_text())["byFinding"].values()) if ends == _FINDINGS else 0
    return [
        BenchResult.at_most(f"hostile.{name}.memory", megabytes, "MB", TARGET_MB),
        BenchResult.at_most(f"hostile.{name}.seconds", seconds, "s", TARGET_SECONDS),
        BenchResult(f"hostile.{name}.findings", found, "findings"),
    ]


def _endless_line() -> Iterator[bytes]:
    yield b"dn: CN=a\nmsDS-KeyCredentialLink: B:"
    for _ in range(200):
        yield b"4" * (1 << 20)


def _broken_base64(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield b"dn: CN=%d\nmsDS-KeyCredentialLink:: QjoyOjAw%%%d\n\n" % (number, number)


def _nested(count: int) -> Iterator[bytes]:
    json_bomb = b'{"a":' * 10_000
    garbage = bytes.fromhex("00020000") + len(json_bomb).to_bytes(2, "little") + b"\3" + json_bomb
    value = b"B:%d:%s:CN=%s" % (2 * len(garbage), garbage.hex().encode(), b" " * 60_000)
    for number in range(count):
        yield b"dn:: %s\nobjectClass: user\nmsDS-KeyCredentialLink: %s\n\n" % (b64encode(b"CN=%d" % number), value)


def _distinct(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield b"dn: CN=%s,OU=%d,DC=x\nobjectClass: user\n\n" % (
            sha256(b"%d" % number).hexdigest()[:20].encode(),
            number,
        )
