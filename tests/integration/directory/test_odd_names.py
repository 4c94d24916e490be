"""Accounts whose names need every kind of escaping: found, given a key, read back, shown and taken back."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import ldap.dn
import pytest
from tests.support.crowd import register_all
from tests.support.site import Site

from keytrust.directory.domain import Domain
from keytrust.lab import Lab

pytestmark = pytest.mark.lab

ODD = (
    'comma, "quote" and #',
    "# first",
    " space at both ends ",
    "Zoë Größenwahn 山田太郎 \U0001f511",
    "a+b=c;<d>\\e/f*(g)",
    "CN=looks,DC=like,DC=a,DC=name",
    "B:4:abcd:CN=colon",
    "x" * 64,
)


def _ldif(dn: str, *lines: str) -> str:
    return f"dn:: {base64.b64encode(dn.encode()).decode()}\n" + "".join(f"{line}\n" for line in lines) + "\n"


def test_a_key_comes_to_every_name_and_is_taken_back(lab: Lab, tmp_path: Path) -> None:
    site = Site(lab, tmp_path)
    units = [lab.spec.people_dn]
    for depth in range(3):  # a distinguished name of far more than 255 characters
        units.append(f"{ldap.dn.dn2str([[('OU', f'{depth}, Ünit #{depth} ' + 'y' * 45, 1)]])},{units[-1]}")
    names = [ldap.dn.dn2str([[("CN", name, 1)]]) for name in ODD]
    people = {f"odd{number}": f"{rdn},{units[-1]}" for number, rdn in enumerate(names)}
    assert max(map(len, people.values())) > 255
    made = [_ldif(unit, "changetype: add", "objectClass: organizationalUnit") for unit in units[1:]]
    made += [
        _ldif(
            dn,
            "changetype: add",
            "objectClass: user",
            f"sAMAccountName: {sam}",
            f"userPrincipalName: {sam}@{lab.spec.domain}",
            "userAccountControl: 512",
        )
        for sam, dn in people.items()
    ]
    lab.apply_ldif("".join(made), relax=True)
    try:
        with Domain(site.settings.need_directory()) as domain:
            register_all(site, [domain.find(sam) for sam in people])
        done = site.run("sync", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        told = {result["account"]: result["outcome"] for result in json.loads(done.stdout)["report"]["results"]}
        assert told == dict.fromkeys(people, "confirmed")
        with Domain(site.settings.need_directory()) as domain:
            found = [domain.find(dn) for dn in people.values()]
        assert [account.name for account in found] == list(people)
        assert all(len(account.values) == 1 for account in found)
        assert site.run("plan").returncode == 0
        assert site.run("undo", "last", "--yes").returncode == 0
        with Domain(site.settings.need_directory()) as domain:
            assert not any(domain.find(sam).values for sam in people)
    finally:
        gone = [_ldif(dn, "changetype: delete") for dn in [*people.values(), *reversed(units[1:])]]
        lab.apply_ldif("".join(gone), relax=True)
