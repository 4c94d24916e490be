"""The main job against a real domain controller, run as the operator runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from tests.support.site import Site

from keytrust.credential import KeyCredentialLink
from keytrust.directory.domain import Domain
from keytrust.lab import LabUser
from keytrust.signin import Refusal, SigninResult, sign_in
from keytrust.store.database import open_store
from keytrust.sync.apply import apply_changes
from keytrust.sync.journal import Journal
from keytrust.sync.model import AccountRef, Action, Change

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


def signed_in(site: Site, upn: str, key: RSAPrivateKey) -> SigninResult:
    return sign_in(upn, key, kdc_ca=site.lab.spec.ca_cert, krb5_config=site.lab.spec.krb5_config)


def plant(site: Site, name: str, *values: str) -> None:
    """Write values with the administrator's tools, past keytrust."""
    account = site.account(name)
    adds = "".join(f"add: msDS-KeyCredentialLink\nmsDS-KeyCredentialLink: {value}\n-\n" for value in values)
    site.lab.apply_ldif(f"dn: {account.dn}\nchangetype: modify\n{adds}\n")


def test_a_registered_key_signs_in_after_a_sync_and_not_after_its_revocation(site: Site, make_user: MakeUser) -> None:
    user = make_user()
    account = site.account(user.sam)
    key = site.register(account)
    assert account.upn is not None
    assert signed_in(site, account.upn, key).refusal is Refusal.CLIENT_NOT_TRUSTED

    assert site.run("plan").returncode == 2
    done = site.run("sync")
    assert done.returncode == 0, done.stdout + done.stderr
    assert signed_in(site, account.upn, key).ok
    assert site.run("plan").returncode == 0

    site.users[user.sam]["deviceKeys"].clear()
    site.register(site.account("svc-keytrust"))  # so that the cloud still reports somebody's key
    assert site.run("sync").returncode == 0
    assert signed_in(site, account.upn, key).refusal is Refusal.CLIENT_NOT_TRUSTED
    site.run("undo", "last")


def test_inet_org_persons_and_anchored_accounts_are_served_too(site: Site, make_user: MakeUser) -> None:
    from uuid import uuid4

    users = [make_user(inet_org_person=True), make_user(consistency_guid=uuid4())]
    keys = [site.register(site.account(user.sam)) for user in users]
    assert site.run("sync").returncode == 0
    for user, key in zip(users, keys, strict=True):
        assert signed_in(site, f"{user.sam}@{site.lab.spec.domain}", key).ok


def test_a_saved_plan_is_applied_exactly_and_refused_once_its_world_has_moved(
    site: Site, make_user: MakeUser, tmp_path: Path
) -> None:
    first, second = make_user(), make_user()
    site.register(site.account(first.sam))
    site.register(site.account(second.sam))
    file = tmp_path / "plan.json"
    assert site.run("plan", "-o", str(file)).returncode == 2
    assert file.stat().st_mode & 0o077 == 0

    revoked = site.users[second.sam]["deviceKeys"].pop()
    site.save()
    refused = site.run("apply", str(file))
    assert refused.returncode == 1
    assert second.sam in refused.stderr
    assert site.account(first.sam).values == (), "a plan that moved is not applied in part"

    site.users[second.sam]["deviceKeys"].append(revoked)
    site.save()
    done = site.run("apply", str(file), "--json")
    assert done.returncode == 0, done.stderr
    planned = {c["account"]["name"]: c["value"] for c in json.loads(file.read_text())["changes"]}
    for user in (first, second):
        (stored,) = site.account(user.sam).values
        assert KeyCredentialLink.parse(stored).binary == KeyCredentialLink.parse(planned[user.sam]).binary


def test_a_value_added_by_another_writer_between_read_and_write_survives(site: Site, make_user: MakeUser) -> None:
    """Rule 1 on the wire."""
    user, donor = make_user(), make_user()
    site.register(site.account(donor.sam))
    site.register(site.account(user.sam))
    assert site.run("sync").returncode == 0
    before = site.account(user.sam)
    theirs = site.account(donor.sam).values[0].decode().replace(f"CN={donor.sam}", f"CN={user.sam}")
    plant(site, user.sam, theirs)

    journal = Journal(open_store(site.settings.store.url))
    change = Change(Action.REMOVE, AccountRef.of(before), before.values[0], b"", "test")
    with Domain(site.settings.need_directory()) as domain:
        run = journal.start_run("test", domain="", domain_sid="", server="", source="", operator="")
        assert apply_changes([change], directory=domain, journal=journal, run=run).complete
    (left,) = site.account(user.sam).values
    assert KeyCredentialLink.parse(left).binary == KeyCredentialLink.parse(theirs).binary


def test_foreign_and_unreadable_values_are_kept_shown_and_counted(site: Site, make_user: MakeUser) -> None:
    user = make_user()
    account = site.account(user.sam)
    site.register(account)
    values = [f"B:8:00020000:{account.dn}", f"B:10:0102030405:{account.dn}"]
    plant(site, user.sam, *values)
    done = site.run("sync", env={"KEYTRUST_POLICY__ADOPT": "true"})
    assert "unreadable values kept" in done.stdout
    stored = site.account(user.sam).values
    assert len(stored) == 3
    shown = json.loads(site.run("show", user.sam, "--json").stdout)
    assert sorted(key["readable"] for key in shown["keys"]).count(False) >= 1
    assert sum(key["writtenBy"] is not None for key in shown["keys"]) == 1


def test_a_protected_account_is_refused_by_policy_and_then_by_the_directory(site: Site, make_user: MakeUser) -> None:
    user, other = make_user(admin_count=True), make_user()
    site.register(site.account(user.sam))
    site.register(site.account(other.sam))
    plan = json.loads(site.run("plan", "--json").stdout)
    assert [refusal["code"] for refusal in plan["refusals"]] == ["privileged"]
    done = site.run("sync", "--json", env={"KEYTRUST_POLICY__PRIVILEGED_ACCOUNTS": f'["{user.sam}"]'})
    assert done.returncode == 3
    outcomes = {r["account"]: r for r in json.loads(done.stdout)["report"]["results"]}
    assert outcomes[other.sam]["outcome"] == "confirmed"
    assert outcomes[user.sam]["outcome"] == "failed"
    assert "access denied" in outcomes[user.sam]["detail"]


def test_undo_takes_back_exactly_what_a_run_did(site: Site, make_user: MakeUser) -> None:
    users = [make_user() for _ in range(3)]
    keys = [site.register(site.account(user.sam)) for user in users]
    run = json.loads(site.run("sync", "--json").stdout)["report"]["run"]
    assert site.run("undo", run, "--dry-run").returncode == 0
    assert all(site.account(user.sam).values for user in users), "a dry run changes nothing"
    undone = site.run("undo", run)
    assert undone.returncode == 0, undone.stderr
    assert not any(site.account(user.sam).values for user in users)
    redone = site.run("undo", "last")
    assert redone.returncode == 0, redone.stderr
    assert signed_in(site, f"{users[0].sam}@{site.lab.spec.domain}", keys[0]).ok
    assert "unbroken chain" in site.run("history", "--verify").stdout


def test_removals_beyond_the_limit_are_held_and_exit_non_zero(site: Site, make_user: MakeUser) -> None:
    users = [make_user() for _ in range(4)]
    for user in users:
        site.register(site.account(user.sam))
    assert site.run("sync").returncode == 0
    for user in users[:3]:
        site.users[user.sam]["deviceKeys"].clear()
    site.save()
    held = site.run("sync")
    assert held.returncode == 3
    assert "Held back" in held.stdout
    assert all(site.account(user.sam).values for user in users)
    assert site.run("sync", "--allow-removals", "3").returncode == 0
    assert [bool(site.account(user.sam).values) for user in users] == [False, False, False, True]


@pytest.mark.parametrize(
    "content",
    ['{"value": []}', '{"value": [', "", "<html>", '{"value": [{"id": "x"}]}'],
    ids=["nobody", "truncated", "empty", "html", "stranger"],
)
def test_no_reading_of_the_cloud_that_says_nothing_removes_a_key(site: Site, make_user: MakeUser, content: str) -> None:
    """Rule 2, whatever the source answers."""
    user = make_user()
    site.register(site.account(user.sam))
    assert site.run("sync").returncode == 0
    site.cloud.write_text(content, encoding="utf-8")
    site.run("sync")
    assert len(site.account(user.sam).values) == 1


def test_odd_names_are_carried_through(site: Site, make_user: MakeUser) -> None:
    names = ["o'neil & söhne", "müller #1 (x)", "ünïcödé ✓"]
    users = [make_user(sam=name) for name in names]
    keys = [site.register(site.account(user.sam)) for user in users]
    done = site.run("sync")
    assert done.returncode == 0, done.stdout + done.stderr
    for user in users:
        (stored,) = site.account(user.sam).values
        assert KeyCredentialLink.parse(stored).dn == site.account(user.sam).dn
    assert len(keys) == 3


def test_the_sign_in_command_proves_a_key(site: Site, make_user: MakeUser, tmp_path: Path) -> None:
    user = make_user()
    key = site.register(site.account(user.sam))
    file = tmp_path / "key.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    upn = f"{user.sam}@{site.lab.spec.domain}"
    refused = site.run("signin", upn, "--key", str(file))
    assert refused.returncode == 1
    assert "does not know this key" in refused.stderr
    site.run("sync")
    assert site.run("signin", upn, "--key", str(file)).returncode == 0


def test_an_account_without_the_right_changes_nothing_and_is_told_what_it_lacks(
    site: Site, make_user: MakeUser, tmp_path: Path
) -> None:
    users = [make_user() for _ in range(5)]
    for user in users:
        site.register(site.account(user.sam))
    nobody = make_user(password="Ordinary-1-Person")
    (tmp_path / "password").write_text("Ordinary-1-Person")
    env = {
        "KEYTRUST_DIRECTORY__AUTH": "password",
        "KEYTRUST_DIRECTORY__PRINCIPAL": f"{nobody.sam}@{site.lab.spec.realm}",
        "KEYTRUST_DIRECTORY__PASSWORD_FILE": str(tmp_path / "password"),
    }
    done = site.run("sync", env=env)
    assert done.returncode == 3
    assert "lacks the right to write msDS-KeyCredentialLink" in done.stdout
    assert "Key Admins" in done.stdout
    assert not any(site.account(user.sam).values for user in users)
    assert site.run("sync").returncode == 0, "nothing was left in the way of one that has the right"
