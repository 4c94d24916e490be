"""Groups of 5,000 members on a real domain controller: every command that looks at members, on one and the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support import breaking
from tests.support.site import Site

from keytrust.lab import Lab, LabUser, ldif

pytestmark = pytest.mark.lab

MEMBERS = 5000


def test_a_group_of_5000_is_shown_tried_scoped_and_audited(breakable_lab: Lab, tmp_path: Path) -> None:
    lab, site, base = breakable_lab, Site(breakable_lab, tmp_path), breakable_lab.spec.base_dn
    crowd = [LabUser(f"m{number:04}") for number in range(MEMBERS)]
    large = f"CN=KeyCredential Admins,CN=Users,{base}"
    around = f"CN=Windows Hello for Business Users,CN=Users,{base}"
    group = {"objectClass": "group"}
    with breaking.restored(lab):
        lab.add_users([*crowd, LabUser("outside")])
        everybody = [user.dn(base) for user in crowd]
        lab.apply_ldif(
            ldif.add(large, group | {"sAMAccountName": "KeyCredential Admins", "member": everybody})
            + ldif.add(around, group | {"sAMAccountName": "WHfB", "member": large})
        )
        for name in (crowd[0].sam, crowd[-1].sam, "outside"):
            site.register(site.account(name))

        who = ("--as", f"administrator@{lab.spec.realm}", "--password-file", str(lab.spec.administrator_password))
        given = site.run("setup", "permissions", "--way", "own-group", *who, "--yes", "--json")
        answer = json.loads(given.stdout)
        assert [result["became"] for result in answer["step"]["results"]] == ["done"] * 3, given.stderr
        assert any(f"and {MEMBERS - 5} more" in warning for warning in answer["step"]["warnings"])
        assert not [each for each in answer["trial"]["findings"] if each["tooLittle"]]

        doctor = json.loads(site.run("doctor", "--json", "--only", "rollout-group", "--timeout", "20").stdout)
        assert doctor["checks"][0]["verdict"] == "pass", doctor
        audited = site.run("audit", "--format", "json").stdout
        [writer] = [each for each in json.loads(audited)["findings"] if "KeyCredential Admins" in each["message"]]
        assert f"{MEMBERS + 1 - len(writer['evidence']['members'].split('; ')):,} more" in writer["evidence"]["members"]

        with site.config.open("a", encoding="utf-8") as file:
            file.write('[directory.scope]\ngroups = ["WHfB"]\n')
        plan = json.loads(site.run("plan", "--json").stdout)
        assert {change["account"]["name"] for change in plan["changes"]} == {crowd[0].sam, crowd[-1].sam}
        assert plan["census"]["out_of_scope"] == 1
