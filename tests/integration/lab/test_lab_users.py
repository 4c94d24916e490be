"""Users of the lab are real accounts, and the connector account has its grant and no more."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import ldap
import ldap.sasl
import pytest

from keytrust.errors import LabError
from keytrust.lab import Lab, LabUser

Read = Callable[[LabUser], dict[str, list[bytes]]]

pytestmark = pytest.mark.lab


@pytest.fixture
def as_connector(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads a user's entry over LDAP as the connector account, with what that account may write."""
    spec = lab.spec
    monkeypatch.setenv("KRB5_CONFIG", str(spec.krb5_config))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/ccache")
    subprocess.run(["kinit", "-k", "-t", spec.connector_keytab, spec.connector_principal], check=True, timeout=30)

    def read(user: LabUser) -> dict[str, list[bytes]]:
        connection = ldap.initialize(spec.ldap_url)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.sasl_interactive_bind_s("", ldap.sasl.gssapi())
        [(_, attributes)] = connection.search_ext_s(
            user.dn(spec.base_dn), ldap.SCOPE_BASE, attrlist=["*", "allowedAttributesEffective"], timeout=10
        )
        connection.unbind_s()
        return dict(attributes)

    return read


def test_the_connector_may_write_keys_and_nothing_else(as_connector: Read, make_user: Callable[..., LabUser]) -> None:
    assert as_connector(make_user())["allowedAttributesEffective"] == [b"msDS-KeyCredentialLink"]
    assert as_connector(make_user(inet_org_person=True))["allowedAttributesEffective"] == [b"msDS-KeyCredentialLink"]


def test_a_protected_account_inherits_no_grant(as_connector: Read, make_user: Callable[..., LabUser]) -> None:
    entry = as_connector(make_user(admin_count=True))
    assert entry["adminCount"] == [b"1"]
    assert "allowedAttributesEffective" not in entry


def test_what_is_asked_for_is_in_the_directory(lab: Lab, as_connector: Read, make_user: Callable[..., LabUser]) -> None:
    guid = uuid4()
    user = make_user(sam=f"é ü {secrets.token_hex(4)}", disabled=True, inet_org_person=True, consistency_guid=guid)
    entry = as_connector(user)
    assert entry["sAMAccountName"] == [user.sam.encode()]
    assert entry["userPrincipalName"] == [f"{user.sam}@{lab.spec.domain}".encode()]
    assert b"inetOrgPerson" in entry["objectClass"]
    assert int(entry["userAccountControl"][0]) & 2
    assert entry["mS-DS-ConsistencyGuid"] == [guid.bytes_le]


def test_a_given_password_signs_in(lab: Lab, make_user: Callable[..., LabUser], tmp_path: Path) -> None:
    user = make_user(password="pässword 1")
    done = subprocess.run(
        ["kinit", "-c", f"FILE:{tmp_path}/ccache", f"{user.sam}@{lab.spec.realm}"],
        input="pässword 1\n",
        env={"KRB5_CONFIG": str(lab.spec.krb5_config), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr


def test_users_are_made_all_or_none(lab: Lab) -> None:
    stem = secrets.token_hex(4)
    fresh = LabUser(f"{stem}-new")
    lab.add_users([LabUser(f"{stem}-old")])
    try:
        with pytest.raises(LabError, match="making users"):
            lab.add_users([fresh, LabUser(f"{stem}-old")])
        with pytest.raises(LabError, match="deleting users"):
            lab.delete_users([fresh])  # it was not made
    finally:
        lab.delete_users([LabUser(f"{stem}-old")])


def test_many_users_at_once(lab: Lab) -> None:
    stem = secrets.token_hex(4)
    users = [LabUser(f"{stem}-{number}") for number in range(300)]
    lab.add_users(users)
    found = lab.run(["ldbsearch", "-H", "/var/lib/samba/private/sam.ldb", f"(sAMAccountName={stem}-*)", "dn"])
    lab.delete_users(users)
    assert found.stdout.count("dn: CN=") == 300


def test_programs_of_the_tree_run_with_input_and_report_failure(lab: Lab) -> None:
    assert lab.run(["cat"], input="tö\n").stdout == "tö\n"
    with pytest.raises(LabError, match="status 3") as caught:
        lab.run(["sh", "-c", "echo reason >&2; exit 3"])
    assert caught.value.detail == "reason"
    assert caught.value.message.startswith("sh failed")
    assert lab.run(["false"], check=False).returncode == 1
