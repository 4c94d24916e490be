"""Names that need every kind of escaping and permissions by the thousand, for setup permissions, doctor and forest."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import ldap.dn
import pytest
from tests.support import faults, ldb
from tests.support.site import Site

from keytrust.lab import Lab, ldif

pytestmark = pytest.mark.lab

ODD = 'Zoë, "Nord" #1 <山田> '
SITE = "Büro #1, Süd"
PASSWORD = "Odd.Passw0rd!"


def rdn(kind: str, name: str) -> str:
    text: str = ldap.dn.dn2str([[(kind, name, 1)]])
    return text


def thousand_more(sddl: str, domain: str) -> str:
    """A thousand entries for accounts that are gone, each for another attribute."""
    entries = (f"(OA;;RP;{uuid4()};;{domain}-{100_000 + each})" for each in range(1000))
    return sddl.replace("(", "".join(entries) + "(", 1)


def test_odd_names_and_a_thousand_entries_are_no_obstacle(breakable_lab: Lab, tmp_path: Path) -> None:
    lab, site, base = breakable_lab, Site(breakable_lab, tmp_path), breakable_lab.spec.base_dn
    units = [base]
    for depth in range(4):
        units.append(f"{rdn('OU', f'{depth} {ODD}' + 'y' * 40)},{units[-1]}")
    connector, loner = (f"{rdn('CN', f'{name} {ODD}')},{units[-1]}" for name in ("connector", "loner"))
    assert len(connector) > 255
    configuration = f"CN=Configuration,{base}"
    place = f"{rdn('CN', SITE)},CN=Sites,{configuration}"
    server = f"CN=DC9,CN=Servers,{place}"
    ghost = f"CN=DC9,OU=Domain Controllers,{base}"
    user = {"objectClass": "user", "userAccountControl": "512"}
    made = {unit: {"objectClass": "organizationalUnit"} for unit in units[1:]}
    made[connector] = user | {"sAMAccountName": "svc-odd", "clearTextPassword": ldif.clear_text_password(PASSWORD)}
    made[loner] = user | {"sAMAccountName": "u-loner"}
    made[place] = {"objectClass": "site"}
    made[f"CN=Servers,{place}"] = {"objectClass": "serversContainer"}
    host = f"dc9.{lab.spec.domain}"
    made[ghost] = {
        "objectClass": "computer",
        "sAMAccountName": "DC9$",
        "userAccountControl": str(0x2000 | 0x80000),
        "dNSHostName": host,
    }
    made[server] = {"objectClass": "server", "dNSHostName": host, "serverReference": ghost}
    made[f"CN=NTDS Settings,{server}"] = {
        "objectClass": ["applicationSettings", "nTDSDSA"],
        "invocationId": uuid4().bytes_le,
        "options": "1",
        "systemFlags": str(0x02000000),
        "msDS-hasMasterNCs": base,
        "hasMasterNCs": base,
    }
    password = tmp_path / "odd.password"
    password.write_text(PASSWORD)
    env = {
        "KEYTRUST_DIRECTORY__AUTH": "password",
        "KEYTRUST_DIRECTORY__PRINCIPAL": f"svc-odd@{lab.spec.realm}",
        "KEYTRUST_DIRECTORY__PASSWORD_FILE": str(password),
    }
    who = ("--as", f"administrator@{lab.spec.realm}", "--password-file", str(lab.spec.administrator_password))
    protected = "O:DAG:DAD:PAI(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPLCLORC;;;AU)"
    with (
        ldb.objects(lab, made),
        ldb.attributes(lab, loner, nTSecurityDescriptor=protected),
        faults.domain_head(site, thousand_more),
    ):
        given = site.run("setup", "permissions", "--way", "own-group", *who, "--yes", "--json", env=env)
        answer = json.loads(given.stdout)
        try:
            assert [result["became"] for result in answer["step"]["results"]] == ["done"] * 3, given.stderr
            [lacking] = [each["subject"] for each in answer["trial"]["findings"] if each["tooLittle"]]
            [missed] = answer["reach"]["examples"]
            # The domain controller escapes other letters than we do; it is one and the same name.
            assert ldap.dn.str2dn(lacking) == ldap.dn.str2dn(missed["dn"]) == ldap.dn.str2dn(loner)
            assert missed["cause"] == "not-inheriting"

            told = json.loads(site.run("doctor", "--json", "--timeout", "10", env=env).stdout)
            checks = {check["id"]: check for check in told["checks"]}
            assert any(f"of {lacking}." in each["seen"] for each in checks["connector-rights"]["evidence"])
            assert checks["connector-flags"]["evidence"][0]["subject"] == "svc-odd"
            assert checks["enterprise-key-admins"]["verdict"] == "pass", "among a thousand entries"
            assert f"site {SITE}" in {each["subject"] for each in checks["dc-capable"]["evidence"]}
            shown = site.run("doctor", "--only", "connector-rights", "--timeout", "10", env=env).stdout
            assert "山田" in shown

            forest = json.loads(site.run("forest", "--json", env=env).stdout)
            assert SITE in {each["site"] for each in forest["forests"][0]["controllers"]}
            assert "Süd" in site.run("forest", env=env).stdout
        finally:
            undone = site.run("setup", "undo", answer["step"]["run"], *who, "--yes", "--json", env=env)
        assert (undone.returncode, json.loads(undone.stdout)["conflicts"]) == (0, []), undone.stderr
