from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from keytrust.errors import LabError
from keytrust.lab import LabSpec
from keytrust.lab.dns import records
from keytrust.lab.texts import client_krb5, controller_krb5, keytrust_toml


def test_names_are_derived_from_the_realm() -> None:
    spec = LabSpec(name="a", realm="AD.CORP.EXAMPLE", netbios="AD", address="127.9.0.1", root=Path("/srv/a"))
    assert spec.dc_host == "dc1.ad.corp.example"
    assert spec.base_dn == "DC=ad,DC=corp,DC=example"
    assert spec.ldap_url == "ldap://dc1.ad.corp.example"
    assert spec.connector_principal == "svc-keytrust@AD.CORP.EXAMPLE"


def test_labs_live_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEYTRUST_LAB_ROOT", str(tmp_path))
    assert LabSpec(name="x").root == tmp_path / "x"


def test_a_root_behind_a_symbolic_link_is_the_real_directory(tmp_path: Path) -> None:
    # The kernel's mount table has real paths; a lab that does not know its own would overlook mounts in it.
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert LabSpec(root=tmp_path / "link" / "lab").root == tmp_path / "real" / "lab"


@pytest.mark.parametrize(
    "field",
    [
        {"name": ""},
        {"name": "../etc"},
        {"name": "-rf"},
        {"name": "a b"},
        {"realm": "CORP"},
        {"realm": "corp.example"},
        {"realm": "CORP..EXAMPLE"},
        {"realm": "CORP.EXAMPLE\n[kdc]"},
        {"netbios": "ABCDEFGHIJKLMNOP"},
        {"netbios": "a"},
        {"address": "10.0.0.1"},
        {"address": "192.168.0.1"},
        {"address": "::1"},
        {"address": "localhost"},
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_built(field: dict[str, str]) -> None:
    with pytest.raises(LabError) as caught:
        LabSpec(**field)  # type: ignore[arg-type]
    assert caught.value.remedy


def test_the_configuration_is_toml_even_for_an_odd_root(tmp_path: Path) -> None:
    spec = LabSpec(root=tmp_path / 'a "quoted" \\ päth')
    said = tomllib.loads(keytrust_toml([spec]))
    assert said["directory"] == {
        "domain": "corp.example",
        "servers": ["dc1.corp.example"],
        "security": "gssapi",
        "auth": "keytab",
        "principal": "svc-keytrust@CORP.EXAMPLE",
        "keytab": str(spec.connector_keytab),
        "krb5_config": str(spec.krb5_config),
        "ca_file": str(spec.ca_cert),
    }
    assert said["cloud"]["url"] == "http://127.10.0.1:8920"
    assert said["store"]["url"] == f"sqlite:///{spec.database}"
    assert said["signin"]["kdc_ca_file"] == str(spec.ca_cert)


def test_kerberos_never_asks_dns() -> None:
    for text in (client_krb5([LabSpec()]), controller_krb5(LabSpec())):
        assert "dns_lookup_kdc = false" in text
        assert "rdns = false" in text


def test_further_controllers_and_the_second_domain_share_nothing_with_the_first() -> None:
    spec = LabSpec()
    every = [spec, spec.dc(2), spec.dc(3), spec.second]
    for what in ("dc_host", "address", "tree", "state", "pid_file", "dc_log", "hosts_mark", "krb5_config"):
        assert len({getattr(each, what) for each in every}) == len(every), what
    assert spec.dc(2).dc(1) == spec
    assert spec.dc(2).ca_key == spec.ca_key
    assert len({(each.realm, each.netbios, each.root) for each in (spec, spec.second)}) == 2


@pytest.mark.parametrize("number", [0, 5, -1])
def test_a_lab_has_a_few_controllers(number: int) -> None:
    with pytest.raises(LabError, match="number of domain controllers"):
        LabSpec().dc(number)


def test_long_names_still_give_a_second_domain() -> None:
    spec = LabSpec("a" * 32, f"{'R' * 63}.EXAMPLE", "N" * 15, "127.200.0.1")
    assert spec.second.realm != spec.realm
    assert spec.second.address != spec.address


def test_the_configuration_names_every_controller_and_the_second_domain() -> None:
    spec = LabSpec()
    said = tomllib.loads(keytrust_toml([spec, spec.dc(2)], spec.second))
    assert said["directory"]["servers"] == ["dc1.corp.example", "dc2.corp.example"]
    assert said["domains"]["corp-b"]["servers"] == ["dc1.corp-b.example"]
    assert [line.strip() for line in client_krb5([spec, spec.dc(2)]).splitlines() if " kdc = " in line] == [
        "kdc = 127.10.0.1",
        "kdc = 127.10.0.2",
    ]


def test_a_further_controller_can_be_found_by_dns() -> None:
    found = records(LabSpec().dc(2), "1b2c")
    assert ("_msdcs.corp.example", "1b2c", "CNAME", "dc2.corp.example") in found
    assert ("corp.example", "_ldap._tcp", "SRV", "dc2.corp.example 389 0 100") in found
