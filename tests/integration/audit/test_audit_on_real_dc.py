"""The audit on a real domain controller: a key planted there by another tool, found, removed, and put back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.site import Site

from keytrust.credential import KeyCredentialLink
from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab

MakeUser = Callable[..., LabUser]


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    return Site(lab, tmp_path)


def plant(lab: Lab, user: LabUser) -> None:
    """Plant a key as ``samba-tool user keytrust add`` does."""
    public = (
        generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    script = 'f=$(mktemp) && cat >"$f" && samba-tool user keytrust add "$0" "$f"; status=$?; rm -f "$f"; exit $status'
    lab.run(["sh", "-c", script, user.sam], public.decode())


def findings(site: Site, *arguments: str) -> list[dict[str, str]]:
    done = site.run("audit", "--format", "json", *arguments)
    assert done.returncode in (0, 2), done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return found


def test_a_planted_key_is_found_removed_and_put_back(site: Site, make_user: MakeUser) -> None:
    alice, bob = make_user(), make_user()
    site.register(site.account(alice.sam))
    site.users[bob.sam] = site.cloud_user(site.account(bob.sam))
    site.save()
    assert site.run("sync").returncode == 0
    plant(site.lab, bob)
    (stored,) = site.account(bob.sam).values

    planted = [f for f in findings(site) if f["finding"] == "key-not-registered"]
    assert [(f["account"], f["severity"]) for f in planted] == [(bob.sam, "high")]
    assert planted[0]["keyId"] == KeyCredentialLink.parse(stored).credential.computed_key_id.hex()  # type: ignore[union-attr]

    unnamed = site.run("audit", "--fix", "--yes")
    assert unnamed.returncode == 64
    assert site.account(bob.sam).values == (stored,)
    fixed = site.run("audit", "--fix", "--yes", "--remove", "key-not-registered")
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    assert site.account(bob.sam).values == ()
    assert len(site.account(alice.sam).values) == 1
    assert not [f for f in findings(site) if f["account"] == bob.sam]

    assert site.run("undo", "last", "--yes").returncode == 0
    assert site.account(bob.sam).values == (stored,)


def test_without_fix_nothing_is_removed_and_beyond_the_limit_neither(site: Site, make_user: MakeUser) -> None:
    users = [make_user() for _ in range(2)]
    for user in users:
        site.users[user.sam] = site.cloud_user(site.account(user.sam))
        plant(site.lab, user)
    site.save()
    assert site.run("audit").returncode == 2
    held = site.run("audit", "--fix", "--yes", "--remove", "key-not-registered")
    assert held.returncode == 3
    assert "Held back" in held.stdout
    assert all(len(site.account(user.sam).values) == 1 for user in users)


def test_single_values_go_to_quarantine_and_single_ones_come_back(site: Site, make_user: MakeUser) -> None:
    users = [make_user() for _ in range(3)]
    for user in users:
        site.users[user.sam] = site.cloud_user(site.account(user.sam))
        plant(site.lab, user)
    site.save()
    before = {user.sam: site.account(user.sam).values for user in users}
    names = {f["account"]: f["fingerprint"] for f in findings(site) if f["finding"] == "key-not-registered"}

    listed = site.run("audit", "--fix", "--dry-run")
    assert listed.returncode == 2
    assert all(name in listed.stdout for name in names.values())
    assert "somebody else" in listed.stdout
    unknown = site.run("audit", "--fix", "--yes", "--remove", names[users[0].sam], "--remove", "0" * 32)
    assert unknown.returncode == 1
    assert "has the name 00000000000000000000000000000000" in unknown.stderr

    two = [names[user.sam] for user in users[:2]]
    arguments = ("audit", "--fix", "--remove", two[0], "--remove", two[1], "--allow-removals", "2")
    assert "Nothing was changed" in site.run(*arguments).stderr  # nobody there to ask
    assert {user.sam: site.account(user.sam).values for user in users} == before
    assert site.run(*arguments, "--yes").returncode == 0
    assert [site.account(user.sam).values for user in users] == [(), (), before[users[2].sam]]

    back = site.run("undo", "last", "--yes", "--account", users[0].sam.upper())
    assert back.returncode == 0, back.stderr
    assert [site.account(user.sam).values for user in users[:2]] == [before[users[0].sam], ()]
    assert "changed nothing on the account" in site.run("undo", "last", "--account", "nobody").stderr


def test_who_may_plant_is_read_with_the_rights_of_the_connector_alone(site: Site, make_user: MakeUser) -> None:
    helpdesk, victim = make_user(), make_user()
    sid = site.account(helpdesk.sam).sid
    ace = f"(OA;;WP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;{sid})"
    site.lab.run(["samba-tool", "dsacl", "set", f"--objectdn={victim.dn(site.lab.spec.base_dn)}", f"--sddl={ace}"])
    (found,) = [f for f in findings(site) if f["sid"] == sid]
    assert (found["finding"], found["severity"], found["account"]) == ("unexpected-writer", "high", helpdesk.sam)
    assert "1 account" in found["message"]
    assert victim.sam in found["evidence"]["examples"]  # type: ignore[index]
    names = {f["account"] for f in findings(site) if f["finding"] in ("unexpected-writer", "key-admins-full-control")}
    assert names <= {helpdesk.sam, "Account Operators"}
