"""`keytrust doctor` against real domain controllers, healthy and broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.site import Site

from keytrust.lab import Lab

pytestmark = pytest.mark.lab


def doctor(site: Site, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the checks by id."""
    done = site.run("doctor", "--json", "--timeout", "15", *arguments)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    return done.returncode, {check["id"]: check for check in found["checks"]}


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    return Site(lab, tmp_path)


@pytest.fixture
def breakable(breakable_lab: Lab, tmp_path: Path) -> Site:
    return Site(breakable_lab, tmp_path)


def test_the_labs_domain_controller_is_found_well(site: Site) -> None:
    _, checks = doctor(site)
    expected = {
        "domain-level": "7 (2016)",
        "schema-version": "88",
        "schema-attribute": "5b47d60f",
        "dc-capable": "1 of 1",
        "dc-answers": "Samba",
        "clock": "this machine",
        "dc-certificate": "lab CA",
        "dc-certificate-trust": str(site.lab.spec.ca_cert),
        "kdc-answers": "TCP and UDP",
        "pkinit-offered": "PA-PK-AS-REQ",
    }
    for check, evidence in expected.items():
        assert checks[check]["verdict"] == "pass", checks[check]
        assert evidence in checks[check]["evidence"][0]["seen"]


def test_of_a_domain_controller_that_is_down_nothing_passes(breakable: Site) -> None:
    breakable.lab.stop_dc()
    code, checks = doctor(breakable)
    assert code == 2
    assert checks["dc-answers"]["verdict"] == checks["kdc-answers"]["verdict"] == "fail"
    assert {check["verdict"] for check in checks.values()} <= {"fail", "cannot tell"}
    assert "could not be read" in checks["domain-level"]["evidence"][0]["seen"]


def test_a_domain_controller_that_is_frozen_costs_no_more_than_the_time_out(breakable: Site) -> None:
    breakable.lab.pause_dc()
    done = breakable.run("doctor", "--json", "--timeout", "1")
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 2
    assert "no answer" in checks["kdc-answers"]["evidence"][0]["seen"]
    assert "pass" not in {check["verdict"] for check in checks.values()}


def test_only_and_accept_choose_what_counts(breakable: Site) -> None:
    breakable.lab.stop_dc()
    code, checks = doctor(breakable, "--only", "clock")
    assert (code, list(checks)) == (3, ["clock"])
    code, checks = doctor(breakable, "--only", "clock", "--only", "dc-answers", "--accept", "dc-answers")
    assert code == 3
    assert checks["dc-answers"]["accepted"]
    assert breakable.run("doctor", "--only", "no-such-check").returncode == 1
