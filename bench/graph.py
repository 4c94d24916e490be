"""What reading 100,000 users with their keys from a registry on loopback costs the connector, in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from bench.memory import peak_megabytes
from bench.registry import fill, site
from bench.result import BenchResult
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.source import Reported
from keytrust.cloud.tokens import TokenFile

USERS, FEW = 100_000, 10_000
TARGET_CPU_SECONDS, TARGET_GROWTH = 20.0, 32.0


def run() -> list[BenchResult]:
    """Read a tenth of them and all of them: what the memory grows by in between is what grows with the population."""
    few, all_ = _measure(FEW), _measure(USERS)
    growth = all_["megabytes"] - few["megabytes"]
    return [
        BenchResult.at_most("graph.read_100k_cpu", all_["cpu"], "s", TARGET_CPU_SECONDS),
        BenchResult("graph.read_100k", all_["seconds"], "s"),
        BenchResult("graph.read_100k_memory", all_["megabytes"], "MB"),
        BenchResult.at_most("graph.memory_growth_10k_to_100k", growth, "MB", TARGET_GROWTH),
    ]


def _measure(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="keytrust-bench-") as directory:
        place = Path(directory)
        with site(place / "site") as (settings, issuer, _):
            fill(settings, count, with_keys=True)
            (place / "token").write_text(issuer.reader_token(audience=settings.graph_resource))
            command = [sys.executable, "-m", "bench.graph", settings.url, str(place / "token"), str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _read(url: str, token: Path, count: int) -> dict[str, float]:
    began, used = perf_counter(), process_time()
    found = 0
    for user in GraphSource(url, TokenFile(token)).read():
        assert isinstance(user.keys, Reported)
        found += len(user.keys.keys)
    if found != count:
        raise RuntimeError(f"{found} keys were read, not {count}")
    return {"seconds": perf_counter() - began, "cpu": process_time() - used, "megabytes": peak_megabytes()}


if __name__ == "__main__":
    print(json.dumps(_read(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
