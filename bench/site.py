"""A lab of its own for the benches that need a domain controller, taken down when they are done.

As for the tests, ``KEYTRUST_TEST_LAB=2`` gives a second checkout a lab of its own, and ``KEYTRUST_KEEP_LAB=1`` keeps it
up, so that several benches may use it at the same time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from keytrust.lab import Lab, LabSpec

_NUMBER = int(os.environ.get("KEYTRUST_TEST_LAB", "0"))


@contextmanager
def bench_lab(name: str = "bench", net: int = 30) -> Iterator[Lab]:
    """Bring the lab up, and remove every trace of it afterwards; benches that stop it have one by another name."""
    own = f"{name}{_NUMBER or ''}"
    lab = Lab(LabSpec(own, f"{own.upper()}.EXAMPLE", own.upper(), f"127.{net}.{_NUMBER}.1"))
    try:
        lab.up(_report)
        yield lab
    finally:
        if os.environ.get("KEYTRUST_KEEP_LAB") != "1":
            lab.down(_report)


def _report(line: str) -> None:
    print(f"lab: {line}", file=sys.stderr, flush=True)
