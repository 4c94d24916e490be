from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from keytrust.errors import LabError
from keytrust.lab import LabSpec
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
    said = tomllib.loads(keytrust_toml(spec))
    assert said["directory"] == {
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
    for text in (client_krb5(LabSpec()), controller_krb5(LabSpec())):
        assert "dns_lookup_kdc = false" in text
        assert "rdns = false" in text
