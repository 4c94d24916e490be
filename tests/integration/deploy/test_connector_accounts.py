"""keytrust signed in as a group managed service account, and as a computer: given the right, tried, at work."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.site import Site

from keytrust.lab import Lab, LabUser, ldif
from keytrust.lab.provision import write_secret

pytestmark = pytest.mark.lab

_SAM = ("-H", "/var/lib/samba/private/sam.ldb")
_KEYTAB, _HOST = "/root/connector.keytab", "/root/host"
_WORKSTATION = str(0x1000)


def _tool(lab: Lab, *arguments: str) -> None:
    lab.run(["samba-tool", *arguments])


def _enabled(lab: Lab, dn: str, **more: bytes) -> None:
    lab.apply_ldif(ldif.replace(dn, {"userAccountControl": _WORKSTATION, **more}))


def _computer(lab: Lab, name: str, password: str) -> str:
    _tool(lab, "computer", "create", name, *_SAM)
    dn = f"CN={name},CN=Computers,{lab.spec.base_dn}"
    _enabled(lab, dn, clearTextPassword=ldif.clear_text_password(password))
    return dn


@contextmanager
def computer(lab: Lab) -> Iterator[str]:
    """A computer, whose keytab comes from the domain controller's own database."""
    dn = _computer(lab, "kt-host", "Host.Passw0rd!")
    try:
        _tool(lab, "domain", "exportkeytab", _KEYTAB, "--principal=kt-host$")
        yield "kt-host$"
    finally:
        lab.apply_ldif(ldif.delete(dn))


@contextmanager
def managed(lab: Lab) -> Iterator[str]:
    """A group managed service account, whose keytab a host fetches over LDAP, as permissions.md has it."""
    host = _computer(lab, "kt-host", "Host.Passw0rd!")
    account = f"CN=svc-gmsa,CN=Managed Service Accounts,{lab.spec.base_dn}"
    credentials = lab.spec.tree / _HOST.lstrip("/")
    write_secret(credentials, f"username=kt-host$\npassword=Host.Passw0rd!\ndomain={lab.spec.netbios}\n".encode())
    try:
        _tool(lab, "service-account", "create", *_SAM, "--name=svc-gmsa", f"--dns-host-name=kt-host.{lab.spec.domain}")
        _enabled(lab, account)
        viewers = ("service-account", "group-msa-membership", "add")
        _tool(lab, *viewers, *_SAM, "--name=svc-gmsa$", "--principal=kt-host$")
        directory = f"ldap://{lab.spec.dc_host}"
        _tool(lab, "domain", "exportkeytab", _KEYTAB, "--principal=svc-gmsa$", "-H", directory, "-A", _HOST)
        yield "svc-gmsa$"
    finally:
        credentials.unlink()
        lab.apply_ldif(ldif.delete(account) + ldif.delete(host))


@pytest.mark.parametrize(
    ("made", "kind"), [(managed, "group managed service account"), (computer, "computer")], ids=["gmsa", "computer"]
)
def test_keytrust_works_as_this_account(
    breakable_lab: Lab, tmp_path: Path, made: Callable[[Lab], Any], kind: str
) -> None:
    lab, site = breakable_lab, Site(breakable_lab, tmp_path)
    alice = LabUser("alice")
    lab.add_users([alice])
    try:
        account = site.account("alice")
        with made(lab) as name:
            exported = lab.spec.tree / _KEYTAB.lstrip("/")
            write_secret(tmp_path / "connector.keytab", exported.read_bytes())
            exported.unlink()
            env = {
                "KEYTRUST_DIRECTORY__PRINCIPAL": f"{name}@{lab.spec.realm}",
                "KEYTRUST_DIRECTORY__KEYTAB": str(tmp_path / "connector.keytab"),
            }

            def run(*arguments: str) -> subprocess.CompletedProcess[str]:
                return site.run(*arguments, env=env)

            refused = run("setup", "permissions", "--check", "--prove", "alice", "--json")
            assert (refused.returncode, "could not be added" in refused.stderr) == (1, True), refused.stderr
            who = ("--as", f"administrator@{lab.spec.realm}", "--password-file", str(lab.spec.administrator_password))
            given = run("setup", "permissions", "--way", "own-group", *who, "--yes", "--json")
            answer = json.loads(given.stdout)
            assert kind in answer["step"]["why"][1]
            assert any("whoever controls its machine" in warning for warning in answer["step"]["warnings"])
            assert not [each for each in answer["trial"]["findings"] if each["tooLittle"]]
            assert {each["code"] for each in answer["trial"]["findings"]} <= {"keys-of-privileged"}

            site.register(account)
            done = run("sync", "--json")
            assert done.returncode == 0, done.stderr
            assert len(site.account("alice").values) == 1
            checked = ("--only", "connector-password", "--only", "connector-privilege", "--only", "connector-expiry")
            doctor = run("doctor", "--json", *checked)
            assert doctor.returncode == 0, doctor.stdout
            assert name in {each["subject"] for each in json.loads(doctor.stdout)["checks"][0]["evidence"]}

            undone = run("setup", "undo", answer["step"]["run"], *who, "--yes", "--json")
            assert (undone.returncode, json.loads(undone.stdout)["conflicts"]) == (0, []), undone.stderr
            assert run("setup", "permissions", "--check", "--prove", "alice", "--json").returncode == 1
    finally:
        lab.delete_users([alice])
