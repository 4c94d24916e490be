"""The service connection point in a real forest: made, checked, corrected value by value, and taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.site import Site

from keytrust.deploy.scp import NAME
from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab

TENANT = "5f2a1a6e-3a0f-4a8e-9c4b-2b8f0c6d7e10"
OTHER = "00000000-1111-2222-3333-444444444444"
PASSWORD = "Ordinary.Passw0rd!"


@dataclass
class Forest:
    """A forest, and the command as its administrator runs it."""

    site: Site

    @property
    def container(self) -> str:
        return f"CN=Device Registration Configuration,CN=Services,CN=Configuration,{self.site.lab.spec.base_dn}"

    @property
    def dn(self) -> str:
        return f"CN={NAME},{self.container}"

    def setup(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        spec = self.site.lab.spec
        who = ["--as", f"administrator@{spec.realm}", "--password-file", str(spec.administrator_password)]
        done = self.site.run("setup", *arguments, *who, "--json")
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def scp(self, *arguments: str, id: str = TENANT) -> tuple[int, dict[str, Any], str]:
        return self.setup("scp", "--tenant-name", "corp.example.com", "--tenant-id", id, *arguments)

    def dump(self) -> str:
        """Everything below CN=Services with its permissions, as the system sees it."""
        attributes = ["objectClass", "keywords", "description", "nTSecurityDescriptor"]
        base = self.container.partition(",")[2]
        private = "/var/lib/samba/private/sam.ldb"
        searched = self.site.lab.run(["ldbsearch", "-H", private, "-b", base, "(objectClass=*)", *attributes])
        records = re.sub(r"\n ", "", searched.stdout).split("\n\n")
        # The values of an attribute have no order, and the numbers of records in the answer mean nothing.
        told = [sorted(line for line in each.split("\n") if not line.startswith("#")) for each in records]
        return "\n\n".join(sorted("\n".join(lines) for lines in told if len(lines) > 1))

    def keywords(self) -> set[str]:
        return set(re.findall(r"^keywords: (.*)$", self.dump(), re.MULTILINE))

    def change(self, record: str) -> None:
        self.site.lab.apply_ldif(record)


@pytest.fixture
def forest(breakable_lab: Lab, tmp_path: Path) -> Iterator[Forest]:
    forest = Forest(Site(breakable_lab, tmp_path))
    before = forest.dump()
    yield forest
    for dn in (forest.dn, forest.container):
        if f"dn: {dn}" in _names(forest):
            forest.change(f"dn: {dn}\nchangetype: delete\n\n")
    assert forest.dump() == before


def _names(forest: Forest) -> str:
    base = forest.container.partition(",")[2]
    found = forest.site.lab.run(["ldbsearch", "-H", "/var/lib/samba/private/sam.ldb", "-b", base, "(cn=*)", "dn"])
    return re.sub(r"\n ", "", found.stdout)


def test_made_with_its_container_then_found_in_order_and_taken_back_without_a_trace(forest: Forest) -> None:
    before = forest.dump()
    code, answer, err = forest.scp("--dry-run")
    assert (code, forest.dump()) == (2, before), err
    assert [change["kind"] for change in answer["changes"]] == ["add-object", "add-object"]
    code, made, err = forest.scp("--yes")
    assert code == 0, err
    assert forest.keywords() == {"azureADName:corp.example.com", f"azureADId:{TENANT}"}
    code, answer, err = forest.scp("--dry-run")
    assert (code, answer["changes"]) == (0, []), err
    code, answer, err = forest.setup("undo", made["run"], "--yes")
    assert (code, answer["conflicts"]) == (0, []), err
    assert forest.dump() == before


def test_wrong_keywords_are_replaced_one_by_one_and_all_others_stay(forest: Forest) -> None:
    """Also what has been written in other letters, and twice."""
    forest.change(
        f"dn: {forest.container}\nchangetype: add\nobjectClass: container\n\n"
        f"dn: {forest.dn}\nchangetype: add\nobjectClass: serviceConnectionPoint\n"
        f"keywords: AZUREADNAME:Corp.Example.COM\nkeywords: azureADId:{OTHER}\nkeywords: azureADId:\n"
        "keywords: enterpriseDRSName:adfs.corp.example\nkeywords:: w7xtbMOkdXQ6IyIs\n\n"
    )
    before = forest.dump()
    code, corrected, err = forest.scp("--yes")
    assert code == 0, err
    assert [change["kind"] for change in corrected["changes"]] == ["delete-value", "delete-value", "add-value"]
    after = forest.dump()
    assert OTHER not in after
    for kept in (f"azureADId:{TENANT}", "AZUREADNAME:Corp.Example.COM", "enterpriseDRSName:adfs", "w7xtbMOkdXQ6IyIs"):
        assert kept in after
    code, _, err = forest.setup("undo", "last", "--yes")
    assert code == 0, err
    assert forest.dump() == before


def test_what_others_wrote_into_it_since_is_not_deleted_with_it(forest: Forest) -> None:
    code, made, err = forest.scp("--yes")
    assert code == 0, err
    forest.change(f"dn: {forest.dn}\nchangetype: modify\nadd: keywords\nkeywords: enterpriseDRSName:adfs\n\n")
    code, undone, err = forest.setup("undo", made["run"], "--yes")
    assert code == 3, err
    assert "keywords that the run did not put there" in undone["conflicts"][0]
    assert "enterpriseDRSName:adfs" in forest.keywords()


def test_an_ordinary_account_is_refused_and_an_object_of_another_kind_is_left_alone(forest: Forest) -> None:
    user, password = LabUser("svc-ordinary", password=PASSWORD), forest.site.folder / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    forest.site.lab.add_users([user])
    try:
        who = ("--as", f"{user.sam}@{forest.site.lab.spec.realm}", "--password-file", str(password))
        tenant = ("--tenant-name", "corp.example.com", "--tenant-id", TENANT)
        done = forest.site.run("setup", "scp", *tenant, *who, "--yes")
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert "refused to make" in done.stderr
        assert "access denied" in done.stderr
    finally:
        forest.site.lab.delete_users([user])
    forest.change(
        f"dn: {forest.container}\nchangetype: add\nobjectClass: container\n\n"
        f"dn: {forest.dn}\nchangetype: add\nobjectClass: container\n\n"
    )
    code, _, err = forest.scp("--yes")
    assert code == 1
    assert "is not a service connection point" in err


def test_the_tenant_must_be_known_and_named_as_one(forest: Forest) -> None:
    code, _, err = forest.setup("scp", "--yes")
    assert code == 1
    assert "Give --tenant-name and --tenant-id" in err
    code, _, err = forest.setup("scp", "--tenant-name", "corp", "--tenant-id", TENANT, "--yes")
    assert code == 1
    assert "not a tenant's domain name" in err
    cloud = {
        "KEYTRUST_CLOUD__KIND": "graph",
        "KEYTRUST_CLOUD__TENANT_ID": TENANT,
        "KEYTRUST_CLOUD__CLIENT_ID": "app",
        "KEYTRUST_CLOUD__CLIENT_SECRET_ENV": "SECRET",
    }
    spec = forest.site.lab.spec
    who = ("--as", f"administrator@{spec.realm}", "--password-file", str(spec.administrator_password))
    done = forest.site.run("setup", "scp", "--tenant-name", "corp.example.com", *who, "--dry-run", env=cloud)
    assert done.returncode == 2, done.stderr
    assert f"azureADId:{TENANT}" in done.stdout
