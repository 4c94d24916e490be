"""`keytrust doctor` against real domain controllers, healthy and broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.site import Site

from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab

MakeUser = Callable[..., LabUser]


def doctor(site: Site, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the checks by id."""
    done = site.run("doctor", "--json", "--timeout", "15", *arguments)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    return done.returncode, {check["id"]: check for check in found["checks"]}


def of_the_directory(checks: dict[str, dict[str, Any]]) -> set[str]:
    """The verdicts of all checks but those of the cloud, which is a file here and always there."""
    return {check["verdict"] for name, check in checks.items() if not name.startswith("cloud-")}


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
        "dns-records": "dc1",
        "connector-password": "does not expire",
        "connector-flags": "none",
        "connector-privilege": "none of them privileged",
        "cloud-answers": "cloud.json",
        "dc-load": "all 1",
        "dc-builds": "Samba",
    }
    for check, evidence in expected.items():
        assert checks[check]["verdict"] == "pass", checks[check]
        assert evidence in checks[check]["evidence"][0]["seen"]


def test_of_a_domain_controller_that_is_down_nothing_passes(breakable: Site) -> None:
    breakable.lab.stop_dc()
    code, checks = doctor(breakable)
    assert code == 2
    assert checks["dc-answers"]["verdict"] == checks["kdc-answers"]["verdict"] == "fail"
    assert of_the_directory(checks) <= {"fail", "cannot tell"}
    assert "could not be read" in checks["domain-level"]["evidence"][0]["seen"]


def test_a_domain_controller_that_is_frozen_costs_no_more_than_the_time_out(breakable: Site) -> None:
    breakable.lab.pause_dc()
    done = breakable.run("doctor", "--json", "--timeout", "1")
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 2
    assert "no answer" in checks["kdc-answers"]["evidence"][0]["seen"]
    assert "pass" not in of_the_directory(checks)


def test_only_and_accept_choose_what_counts(breakable: Site) -> None:
    breakable.lab.stop_dc()
    code, checks = doctor(breakable, "--only", "clock")
    assert (code, list(checks)) == (3, ["clock"])
    code, checks = doctor(breakable, "--only", "clock", "--only", "dc-answers", "--accept", "dc-answers")
    assert code == 3
    assert checks["dc-answers"]["accepted"]
    assert breakable.run("doctor", "--only", "no-such-check").returncode == 1


def test_both_sides_of_a_user_are_held_against_each_other(site: Site, make_user: MakeUser) -> None:
    site.users.clear()
    account = site.account(make_user().sam)
    site.register(account)
    code, checks = doctor(site, "--only", "source-anchor")
    assert code in (2, 4), "others of the domain's users are not in this cloud"
    seen = {each["subject"]: each for each in checks["source-anchor"]["evidence"]}
    assert {each["verdict"] for each in seen.values()} <= {"pass", "warn", "fail"}


def test_a_group_to_roll_out_to_and_the_service_connection_point_are_seen(breakable: Site) -> None:
    lab = breakable.lab
    _, before = doctor(breakable, "--only", "rollout-group", "--only", "device-registration")
    assert before["rollout-group"]["verdict"] == "warn"
    assert before["device-registration"]["evidence"][0]["seen"] == "there is no service connection point"
    group = f"CN=Windows Hello for Business Users,CN=Users,{lab.spec.base_dn}"
    member = breakable.account(lab.spec.connector).dn
    name = "sAMAccountName: WHfB Users"
    lab.apply_ldif(f"dn: {group}\nchangetype: add\nobjectClass: group\n{name}\nmember: {member}\n")
    try:
        _, after = doctor(breakable, "--only", "rollout-group")
    finally:
        lab.apply_ldif(f"dn: {group}\nchangetype: delete\n")
    assert after["rollout-group"]["verdict"] == "pass"


def test_several_domains_are_each_held_against_the_checks(site: Site) -> None:
    with site.config.open("a", encoding="utf-8") as file:
        file.write('[domains.other]\nservers = ["dc1.nowhere.example"]\ndomain = "nowhere.example"\nauth = "ccache"\n')
    done = site.run("doctor", "--json", "--timeout", "10", "--only", "schema-version")
    found = json.loads(done.stdout)
    assert (done.returncode, found["exitCode"], found["worst"]) == (3, 3, "cannot tell")
    assert [each["checks"][0]["verdict"] for each in found["domains"]] == ["pass", "cannot tell"]
    one = site.run("doctor", "--json", "--timeout", "10", "--only", "schema-version", "--domain", site.lab.spec.domain)
    assert json.loads(one.stdout)["domain"] == site.lab.spec.domain
