"""A lab of its own for the benches that need a domain controller, taken down when they are done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from keytrust.lab import Lab, LabSpec


@contextmanager
def bench_lab() -> Iterator[Lab]:
    """Bring the lab up, and remove every trace of it afterwards."""
    lab = Lab(LabSpec("bench", "BENCH.EXAMPLE", "BENCH", "127.30.0.1"))
    try:
        lab.up(_report)
        yield lab
    finally:
        lab.down(_report)


def _report(line: str) -> None:
    print(f"lab: {line}", file=sys.stderr, flush=True)
