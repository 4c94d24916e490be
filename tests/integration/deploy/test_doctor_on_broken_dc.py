"""`keytrust doctor` against a real domain that is broken in one way: the right checks fail, for the right reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.breakages import BREAKAGES, Breakage
from tests.support.site import Site

from keytrust.lab import Lab

pytestmark = pytest.mark.lab

_healthy: dict[str, dict[str, dict[str, Any]]] = {}
"""What the doctor says of each lab before it is broken."""


def _examined(site: Site, *arguments: str) -> dict[str, dict[str, Any]]:
    done = site.run("doctor", "--json", *arguments)
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    return {check["id"]: check for check in json.loads(done.stdout)["checks"]}


def _sees(check: dict[str, Any], verdict: str, words: str) -> bool:
    return any(
        each["verdict"] == verdict and words in f"{each['subject']} {each['seen']}" for each in check["evidence"]
    )


@pytest.mark.parametrize("broken", BREAKAGES, ids=[each.name for each in BREAKAGES])
def test_a_domain_that_is_broken_in_one_way_fails_for_that(
    broken: Breakage, breakable_lab: Lab, tmp_path: Path
) -> None:
    site = Site(breakable_lab, tmp_path)
    if breakable_lab.spec.name not in _healthy:
        _healthy[breakable_lab.spec.name] = _examined(site, "--timeout", "15")
    with broken.during(site):
        seen = _examined(site, "--timeout", str(broken.seconds))
    for name, (verdict, words) in broken.found.items():
        assert seen[name]["verdict"] == verdict, seen[name]
        assert _sees(seen[name], verdict, words), seen[name]
        healthy = _healthy[breakable_lab.spec.name][name]
        assert not _sees(healthy, verdict, words), f"it says the same when nothing is broken: {healthy}"
