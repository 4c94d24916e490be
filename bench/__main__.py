"""``./script/bench [NAME ...] [--json]``"""

from __future__ import annotations

import argparse
import importlib
import json
from dataclasses import asdict

from keytrust import interrupts

NAMES = (
    "codec",
    "plan",
    "apply",
    "crossing",
    "registry",
    "graph",
    "audit",
    "planted",
    "flood",
    "failover",
    "latency",
    "reconcile",
    "idle-cycle",
    "crash",
    "takeover",
    "controllers",
    "doctor",
)

LONG = ("graph_million", "hostile")
"""Those that run only when they are named."""


def main() -> None:
    """Run the named benches, or all; one line for each figure as it is measured."""
    parser = argparse.ArgumentParser(prog="script/bench", description="Measure what keytrust promises.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (the default), {', '.join(LONG)}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args()
    interrupts.install()  # told to stop, it ends what it started
    unknown = set(given.names) - {*NAMES, *LONG}
    if unknown:
        parser.error(f"no bench {', '.join(sorted(unknown))}; there are {', '.join((*NAMES, *LONG))}")
    for name in given.names or NAMES:
        for result in importlib.import_module(f"bench.{name.replace('-', '_')}").run():
            if given.json:
                print(json.dumps(asdict(result)), flush=True)
            else:
                target = (
                    "" if result.target is None else f"  target {result.target:g}: {'met' if result.met else 'MISSED'}"
                )
                print(f"{result.name:38} {result.value:14,.3f} {result.unit:10}{target}", flush=True)


if __name__ == "__main__":
    main()
