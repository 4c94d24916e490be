"""Servers that die, programs that are killed, settings that are wrong: nothing lost, one sentence."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import shake_256
from pathlib import Path

import pytest
from tests.support.site import Site

from keytrust.config import VARIABLE
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal
from keytrust.sync.stored import StoredKey

pytestmark = pytest.mark.lab


@pytest.fixture
def crowd(breakable_lab: Lab, tmp_path: Path) -> Iterator[Site]:
    """A site with 250 users who have registered a key each."""
    site = Site(breakable_lab, tmp_path)
    users = [LabUser(f"crowd{number}") for number in range(250)]
    breakable_lab.add_users(users)
    with Domain(site.settings.need_directory()) as domain:
        crowd = [account for account in domain.accounts() if account.name.startswith("crowd")]
    key = site.register(crowd[0])
    for account in crowd[1:]:
        site.users[account.name] = site.cloud_user(account)
        site.users[account.name]["deviceKeys"] = [
            _another_modulus(site.users[crowd[0].name]["deviceKeys"][0], account.guid)
        ]
    site.save()
    assert key is not None
    yield site
    breakable_lab.up(lambda _: None)
    breakable_lab.delete_users(users)


def _another_modulus(device_key: dict[str, str], seed: bytes) -> dict[str, str]:
    """A key that differs in its modulus, odd and of full length: nobody holds its private half, and nobody needs it."""
    material = bytearray(base64.b64decode(device_key["keyMaterial"]))
    modulus = int.from_bytes(shake_256(seed).digest(256), "big") | 1 << 2047 | 1
    while any(modulus % prime == 0 for prime in _SMALL_PRIMES):
        modulus += 2
    material[-256:] = modulus.to_bytes(256, "big")
    return device_key | {"keyMaterial": base64.b64encode(material).decode()}


_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


def assert_everybody_has_exactly_their_key(site: Site) -> None:
    with Domain(site.settings.need_directory()) as domain:
        for account in domain.accounts():
            if account.name.startswith("crowd"):
                keys = [StoredKey.read(value).key_id for value in account.values]
                assert len(keys) == 1, account.name
    plan = site.run("plan", "--json")
    assert plan.returncode == 0, plan.stdout


def test_a_controller_that_dies_in_mid_run_and_comes_back_gets_every_key_once(crowd: Site) -> None:
    lab = crowd.lab
    process = _start_sync(crowd)
    _wait_for_journal(crowd, 60)
    lab.stop_dc()
    lab.start_dc()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert_everybody_has_exactly_their_key(crowd)


def test_a_run_that_is_killed_is_completed_by_the_next_one(crowd: Site) -> None:
    process = _start_sync(crowd)
    _wait_for_journal(crowd, 60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    again = crowd.run("sync")
    assert again.returncode == 0, again.stdout + again.stderr
    assert_everybody_has_exactly_their_key(crowd)
    journal = Journal(open_store(crowd.settings.store.url))
    assert journal.verify()[0] > 250
    with Domain(crowd.settings.need_directory()) as domain:
        for account in domain.accounts():
            for value in account.values:
                assert journal.wrote(account.guid, value), "no write without a journal entry"


def test_a_run_that_is_told_to_stop_says_how_far_it_got_and_can_be_undone(crowd: Site) -> None:
    process = _start_sync(crowd)
    _wait_for_journal(crowd, 60)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    undone = crowd.run("undo", "last")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    with Domain(crowd.settings.need_directory()) as domain:
        assert not any(account.values for account in domain.accounts())


def test_two_runs_at_once_write_nothing_twice(crowd: Site) -> None:
    runs = [_start_sync(crowd) for _ in range(2)]
    ends = sorted((process.communicate(timeout=120)[1], process.returncode) for process in runs)
    codes = sorted(code for _, code in ends)
    assert codes in ([0, 0], [0, 1]), ends
    if codes == [0, 1]:
        refused = next(err for err, code in ends if code == 1)
        assert "Only one program at a time may change the directory" in " ".join(refused.split()), refused
    assert_everybody_has_exactly_their_key(crowd)


def test_a_frozen_controller_ends_the_run_with_a_sentence(crowd: Site) -> None:
    crowd.lab.pause_dc()
    thaw = threading.Timer(60, crowd.lab.resume_dc)
    thaw.start()
    try:
        done = crowd.run("plan", env={"KEYTRUST_DIRECTORY__TIMEOUT": "2"})
    finally:
        thaw.cancel()
        crowd.lab.resume_dc()
    assert done.returncode == 1
    assert "no domain controller" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    return Site(lab, tmp_path)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"SERVERS": '["127.99.0.1"]'}, "cannot be reached on port 389"),
        ({"SERVERS": '["no-such-host.invalid"]'}, "cannot be resolved"),
        ({"SECURITY": "ldaps", "SERVERS": '["{address}"]'}, "is for another name"),
        ({"SECURITY": "ldaps", "CA_FILE": "{other_ca}"}, "is not signed by an authority in"),
        ({"SECURITY": "starttls", "CA_FILE": "{other_ca}"}, "is not signed by an authority in"),
        ({"PRINCIPAL": "nobody@{realm}"}, "the keytab holds no key for this principal"),
        ({"AUTH": "password", "PASSWORD_FILE": "{wrong}"}, "the password was refused"),
        ({"AUTH": "password", "PASSWORD_FILE": "{wrong}", "SECURITY": "ldaps"}, "refused the connector account"),
        ({"AUTH": "ccache", "CCACHE": "{wrong}.none"}, "no Kerberos ticket cache"),
        ({"KEYTAB": "{wrong}.none"}, "cannot be read"),
        ({"AUTH": "magic"}, "directory.auth"),
        ({"TIMEOUT": "-1"}, "directory.timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_mistake_is_named_in_one_sentence(site: Site, tmp_path: Path, changed: dict[str, str], says: str) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("no-such-password")
    names = {
        "address": site.lab.spec.address,
        "realm": site.lab.spec.realm,
        "other_ca": "/etc/ssl/certs/ca-certificates.crt",
        "wrong": str(wrong),
    }
    env = {f"KEYTRUST_DIRECTORY__{name}": value.format(**names) for name, value in changed.items()}
    done = site.run("plan", env=env)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Not done: Nothing was read or changed" in done.stderr
    assert "What to do:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "no-such-password" not in done.stderr


@pytest.mark.parametrize("security", ["ldaps", "starttls", "gssapi"])
def test_every_protection_and_every_credential_signs_in(site: Site, tmp_path: Path, security: str) -> None:
    given = site.settings.need_directory().model_dump() | {"security": security}
    password = site.lab.spec.administrator_password
    for fields in (
        {},
        {"auth": "password", "principal": f"administrator@{site.lab.spec.realm}", "password_file": password},
    ):
        with Domain(DirectorySettings(**(given | fields))) as domain:
            assert domain.name == site.lab.spec.domain


def test_a_server_that_is_down_is_passed_over_for_the_next(site: Site) -> None:
    servers = json.dumps(["127.99.0.1", site.lab.spec.dc_host])
    done = site.run("plan", env={"KEYTRUST_DIRECTORY__SERVERS": servers})
    assert done.returncode == 0, done.stderr


def test_the_connector_account_may_write_this_attribute_and_nothing_else(site: Site) -> None:
    """Rule 10, seen from outside."""
    with Domain(site.settings.need_directory()) as domain, domain.session() as session:
        import ldap

        victim = domain.find("Guest")
        found = list(
            session.search(victim.dn, ldap.SCOPE_BASE, "(objectClass=*)", ["allowedAttributesEffective"], paged=False)
        )
    assert found[0][1]["allowedAttributesEffective"] == [b"msDS-KeyCredentialLink"]


def _start_sync(site: Site) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "keytrust", "sync"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {VARIABLE: str(site.config)},
    )


def _wait_for_journal(site: Site, intents: int) -> None:
    """Wait until the run under way has journaled that many changes, which it has then begun to send."""
    deadline = time.monotonic() + 60
    journal = Journal(open_store(site.settings.store.url))
    while time.monotonic() < deadline:
        if len(journal.entries()) >= intents:
            return
        time.sleep(0.01)
    raise AssertionError("the run did not get under way")


def test_the_crowds_keys_are_distinct(crowd: Site) -> None:
    materials = {user["deviceKeys"][0]["keyMaterial"] for user in crowd.users.values()}
    assert len(materials) == 250
