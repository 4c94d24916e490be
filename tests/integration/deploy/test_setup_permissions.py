"""The guide's page on a real domain: the right given, tried, proven and taken back, and nothing else changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.support.site import Site

from keytrust.config import Settings
from keytrust.deploy.changes import EditDacl
from keytrust.deploy.identity import Identity, open_directory
from keytrust.deploy.step import World
from keytrust.directory.account import guid_text
from keytrust.directory.editor import Editor
from keytrust.directory.security.ace import CONTAINER_INHERIT, allow_property, sid_bytes
from keytrust.directory.security.dacl import SE_DACL_PROTECTED
from keytrust.directory.security.writers import KEY_LINK_GUID
from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab

ORDINARY, PASSWORD = "svc-ordinary", "Ordinary.Passw0rd!"
ODD_GROUP = "Schlüssel-Träger #1 'kt'"


@dataclass
class Plant:
    """A domain with an ordinary account that is to become a connector, and an administrator to make it one."""

    site: Site
    folder: Path

    @property
    def lab(self) -> Lab:
        return self.site.lab

    def setup(self, *arguments: str, admin: bool = True) -> tuple[int, dict[str, Any], str]:
        """Run ``keytrust setup`` for the ordinary account; the exit code, the JSON and standard error."""
        spec = self.lab.spec
        who = ["--as", f"administrator@{spec.realm}", "--password-file", str(spec.administrator_password)]
        done = self.site.run("setup", *arguments, *(who if admin else []), "--json", env=self.env)
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    @property
    def env(self) -> dict[str, str]:
        password = self.folder / "ordinary.password"
        password.write_text(PASSWORD)
        return {
            "KEYTRUST_DIRECTORY__AUTH": "password",
            "KEYTRUST_DIRECTORY__PRINCIPAL": f"{ORDINARY}@{self.lab.spec.realm}",
            "KEYTRUST_DIRECTORY__PASSWORD_FILE": str(password),
        }

    def may_write(self, user: str) -> bool:
        """Whether the ordinary account can really add a key to the user and delete it again."""
        code, answer, err = self.setup("permissions", "--check", "--prove", user, admin=False)
        if code == 1:
            assert "could not be added" in err
            return False
        return len(answer["proof"]["runs"]) >= 2

    def dump(self) -> dict[str, str]:
        """Every object's permissions and memberships, as the system sees them."""
        attributes = ["nTSecurityDescriptor", "member", "groupType", "objectSid", "userAccountControl"]
        searched = self.lab.run(["ldbsearch", "-H", "/var/lib/samba/private/sam.ldb", "(objectClass=*)", *attributes])
        records = re.sub(r"\n ", "", searched.stdout).split("\n\n")
        found = (record.partition("dn: ")[2] for record in records)
        return {record.partition("\n")[0]: record for record in found if record}


@pytest.fixture
def plant(breakable_lab: Lab, tmp_path: Path) -> Iterator[Plant]:
    users = [LabUser(ORDINARY, password=PASSWORD), LabUser("alice"), LabUser("iris", inet_org_person=True)]
    breakable_lab.add_users(users)
    yield Plant(Site(breakable_lab, tmp_path), tmp_path)
    breakable_lab.delete_users(users)


def settings_of(plant: Plant) -> Settings:
    return plant.site.settings


@pytest.fixture
def editor(plant: Plant) -> Iterator[Editor]:
    spec = plant.lab.spec
    identity = Identity(f"administrator@{spec.realm}", password_file=spec.administrator_password)
    with open_directory(settings_of(plant).need_directory(), identity) as opened:
        yield opened.editor


def test_refused_before_allowed_after_refused_again_and_nothing_else_changed(plant: Plant, editor: Editor) -> None:
    """With a domain head of 1,000 entries, of which none is lost or moved."""
    base = plant.lab.spec.base_dn
    many = _many_entries(editor, base, 1000)
    many.apply(World(editor))
    try:
        before = plant.dump()
        assert not plant.may_write("alice")
        code, answer, err = plant.setup("permissions", "--way", "own-group", "--group-name", ODD_GROUP, "--yes")
        assert code in (0, 3), err
        assert [result["became"] for result in answer["step"]["results"]] == ["done"] * 3
        assert not [each for each in answer["trial"]["findings"] if each["tooLittle"]]
        assert {each["code"] for each in answer["trial"]["findings"]} <= {"keys-of-privileged"}
        assert plant.may_write("alice")
        assert plant.may_write("iris")
        changed = {dn for dn, record in plant.dump().items() if before.get(dn) != record}
        assert len([dn for dn in changed if dn not in before]) == 1, "one group is new"
        again, planned, _ = plant.setup("permissions", "--way", "own-group", "--group-name", ODD_GROUP, "--yes")
        assert again in (0, 3)
        assert planned["step"]["changes"] == []

        code, undone, err = plant.setup("undo", answer["step"]["run"], "--yes")
        assert (code, undone["conflicts"]) == (0, []), err
        assert not plant.may_write("alice")
        assert plant.dump() == before
    finally:
        many.inverse("").apply(World(editor))


def _many_entries(editor: Editor, dn: str, number: int) -> EditDacl:
    found = editor.entry(dn, ["objectGUID"])
    assert found is not None
    entries = tuple(allow_property(f"S-1-5-21-9-9-9-{1000 + each}", UUID(int=each)) for each in range(number))
    return EditDacl(dn, guid_text(found[1]["objectGUID"][0]), add=entries)


def test_the_guides_way_for_a_domain_with_key_admins_is_membership_in_it(plant: Plant) -> None:
    code, answer, err = plant.setup("permissions", "--dry-run")
    assert code == 2, err
    assert [change["kind"] for change in answer["step"]["changes"]] == ["add-value"]
    assert "Key Admins exists" in answer["step"]["why"][0]
    assert not plant.may_write("alice"), "a dry run changes nothing"
    code, answer, err = plant.setup("permissions", "--yes")
    assert code == 3, err
    assert "keys-of-computers" in {each["code"] for each in answer["trial"]["findings"]}, "Key Admins gives more"
    assert plant.may_write("alice")
    code, _, err = plant.setup("undo", "last", "--yes")
    assert code == 0, err
    assert not plant.may_write("alice")


def test_nobody_is_asked_where_there_is_no_terminal_and_nothing_is_changed(plant: Plant) -> None:
    spec = plant.lab.spec
    who = ("--as", f"administrator@{spec.realm}", "--password-file", str(spec.administrator_password))
    done = plant.site.run("setup", "permissions", *who, env=plant.env)
    assert done.returncode == 1, "a script that forgets --yes must not look as if it had succeeded"
    assert "--yes says that it is meant" in done.stderr
    assert not plant.may_write("alice")


def test_accounts_that_are_not_reached_are_named_with_the_cause(plant: Plant, editor: Editor) -> None:
    lab, base = plant.lab, plant.lab.spec.base_dn
    odd = 'OU=B\\C3\\BCro\\, \\"Nord\\" \\#1'
    lab.apply_ldif(
        "".join(
            f"dn: {dn}\nchangetype: add\nobjectClass: organizationalUnit\n\n"
            for dn in (f"OU=Closed,{base}", f"{odd},{base}")
        )
    )
    people = [
        LabUser("boss", admin_count=True),
        LabUser("loner"),
        LabUser("refused"),
        LabUser("inside", ou="OU=Closed"),
        LabUser("äöü #5", ou=odd),
    ]
    lab.add_users(people)
    try:
        code, given, err = plant.setup("permissions", "--way", "own-group", "--yes")
        assert code == 3, err
        _protect(editor, f"CN=loner,OU=People,{base}")
        _protect(editor, f"OU=Closed,{base}")
        deny = bytearray(allow_property("S-1-1-0", KEY_LINK_GUID))
        deny[0] = 0x06
        _edit(editor, f"CN=refused,OU=People,{base}", bytes(deny))
        code, answer, err = plant.setup("permissions", "--way", "own-group", "--yes")
        assert code == 3, err
        found = {each["dn"].split(",")[0]: each["cause"] for each in answer["reach"]["examples"]}
        assert found["CN=boss"] == "protected"
        assert found["CN=loner"] == "not-inheriting"
        assert found["CN=refused"] == "denied"
        assert found["CN=inside"] == "above"
        assert not [name for name in found if "5" in name], "an odd name is no obstacle"
        assert answer["reach"]["notReached"] == {"protected": 1, "not-inheriting": 1, "denied": 1, "above": 1}
        assert not plant.may_write("loner")
        code, _, err = plant.setup("undo", given["step"]["run"], "--yes")
        assert code == 0, err
    finally:
        lab.delete_users(people)
        lab.apply_ldif("".join(f"dn: {dn}\nchangetype: delete\n\n" for dn in (f"OU=Closed,{base}", f"{odd},{base}")))


def _edit(editor: Editor, dn: str, ace: bytes) -> None:
    found = editor.entry(dn, ["objectGUID"])
    assert found is not None
    EditDacl(dn, guid_text(found[1]["objectGUID"][0]), add=(ace,)).apply(World(editor))


def _protect(editor: Editor, dn: str) -> None:
    """Disable inheritance, as the advanced security dialogue does when inherited entries are to be removed."""
    from dataclasses import replace

    editor.edit_dacl(
        dn,
        lambda dacl: replace(
            dacl.adding([allow_property("S-1-5-11", KEY_LINK_GUID, mask=0x10)]),
            control=dacl.control | SE_DACL_PROTECTED,
            aces=(*dacl.explicit, allow_property("S-1-5-11", UUID(int=1), mask=0x10)),
        ),
    )


def test_full_control_of_enterprise_key_admins_is_found_repaired_and_put_back(plant: Plant, editor: Editor) -> None:
    base = plant.lab.spec.base_dn
    sid = _sid(editor, base) + "-527"
    body = (0x000F01FF).to_bytes(4, "little") + sid_bytes(sid)
    ace = bytes([0x00, CONTAINER_INHERIT]) + (4 + len(body)).to_bytes(2, "little") + body
    before = plant.dump()[base]
    _edit(editor, base, ace)
    try:
        _, answer, err = plant.setup("permissions", "--dry-run")
        assert any("overgrant" in warning for warning in answer["step"]["warnings"]), err
        code, answer, err = plant.setup("overgrant", "--yes")
        assert code == 0, err
        assert plant.dump()[base] == before
        code, answer, err = plant.setup("undo", "last", "--yes")
        assert code == 0, err
        assert plant.dump()[base] != before
    finally:
        editor.edit_dacl(base, lambda dacl: dacl.removing([ace]))


def _sid(editor: Editor, base: str) -> str:
    from keytrust.directory.account import sid_text

    found = editor.entry(base, ["objectSid"])
    assert found is not None
    return sid_text(found[1]["objectSid"][0])


def test_the_grant_on_adminsdholder_is_an_act_of_its_own_with_a_warning(plant: Plant) -> None:
    holder = f"CN=AdminSDHolder,CN=System,{plant.lab.spec.base_dn}"
    before = plant.dump()[holder]
    code, _, err = plant.setup("adminsdholder", "--yes")
    assert code == 1
    assert "in none of the groups" in err
    code, given, err = plant.setup("permissions", "--yes")
    assert code == 3, err
    assert plant.dump()[holder] == before, "never part of the default"
    code, answer, err = plant.setup("adminsdholder", "--yes")
    assert code == 0, err
    assert "sign in as any administrator" in answer["warnings"][0]
    assert plant.dump()[holder] != before
    for run in (answer["run"], given["step"]["run"]):
        code, _, err = plant.setup("undo", run, "--yes")
        assert code == 0, err
    assert plant.dump()[holder] == before


def test_the_connector_account_does_not_change_its_own_rights(plant: Plant) -> None:
    done = plant.site.run("setup", "permissions", "--yes", env=plant.env | {"KRB5CCNAME": "FILE:/nonexistent/cache"})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    password = plant.env["KEYTRUST_DIRECTORY__PASSWORD_FILE"]
    who = ("--as", f"{ORDINARY}@{plant.lab.spec.realm}", "--password-file", password)
    done = plant.site.run("setup", "permissions", *who, "--yes", env=plant.env)
    assert done.returncode == 1
    assert "is the connector account" in done.stderr
