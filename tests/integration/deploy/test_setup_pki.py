"""A domain controller with the certificate of a private authority: it signs users in, for who trusts that authority."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.support.site import Site

from keytrust.credential import Dialect, build, rsa1_from_key
from keytrust.lab import Lab, LabUser, ldif

pytestmark = pytest.mark.lab

PLACE = "/etc/keytrust/kdc"


@dataclass
class Controller:
    """A lab's domain controller, and a user of it with a key."""

    site: Site
    key: Path

    @property
    def lab(self) -> Lab:
        return self.site.lab

    @property
    def pki(self) -> Path:
        return self.site.folder / "pki"

    @property
    def host(self) -> str:
        return self.lab.spec.dc_host

    def run_pki(self, *arguments: str) -> dict[str, Any]:
        passphrase = self.site.folder / "passphrase"
        passphrase.write_text("five quite random words here\n", encoding="utf-8")
        passphrase.chmod(0o600)
        where = ("--dir", str(self.pki), "--passphrase-file", str(passphrase), "--yes", "--json")
        done = self.site.run("setup", "pki", *arguments, *where)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def install(self) -> None:
        """Do what the command says is to be done on the domain controller."""
        tree = self.lab.spec.tree
        here = tree / PLACE.lstrip("/")
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(self.pki / self.host, here)
        here.chmod(0o700)
        for file, lines in (
            ("etc/samba/smb.conf", r"\ttls (cert|key|ca)file = .*\n"),
            ("etc/krb5.conf", r"\[kdc\]\n( .*\n)*"),
        ):
            text = re.sub(lines, "", (tree / file).read_text(encoding="utf-8"))
            included = here / ("smb.conf" if "smb" in file else "krb5-kdc.conf")
            told = re.search(r"^#     (include .*)$", included.read_text(encoding="utf-8"), re.MULTILINE)
            assert told is not None
            if told[1] not in text:
                text = (
                    text.replace("[global]\n", f"[global]\n\t{told[1]}\n") if "smb" in file else f"{text}\n{told[1]}\n"
                )
            (tree / file).write_text(text, encoding="utf-8")
        self.restart()

    def restart(self) -> None:
        self.lab.stop_dc()
        self.lab.start_dc()

    def trusting(self, authority: Path) -> dict[str, str]:
        return {"KEYTRUST_SIGNIN__KDC_CA_FILE": str(authority), "KEYTRUST_DIRECTORY__CA_FILE": str(authority)}

    def signs_in(self, authority: Path) -> bool:
        """Whether a client that trusts this authority and no other gets a ticket."""
        user = f"carol@{self.lab.spec.realm}"
        done = self.site.run("signin", user, "--key", str(self.key), "--json", env=self.trusting(authority))
        answer = json.loads(done.stdout)
        assert (done.returncode == 0) is answer["ok"]
        if not answer["ok"]:
            assert answer["refusal"] == "KDC_CERTIFICATE_UNTRUSTED", answer
        return bool(answer["ok"])


@pytest.fixture
def controller(breakable_lab: Lab, tmp_path: Path) -> Iterator[Controller]:
    user, key = LabUser("carol"), rsa.generate_private_key(65537, 2048)
    breakable_lab.add_users([user])
    dn = user.dn(breakable_lab.spec.base_dn)
    material = rsa1_from_key(key.public_key())
    blob = build(material, device_id=uuid4(), created=datetime.now(UTC), dialect=Dialect.PORTABLE).to_bytes()
    value = f"B:{len(blob) * 2}:{blob.hex().upper()}:{dn}"
    breakable_lab.apply_ldif(ldif.replace(dn, {"msDS-KeyCredentialLink": [value]}))
    path = tmp_path / "carol.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tree = breakable_lab.spec.tree
    before = {file: (tree / file).read_bytes() for file in ("etc/samba/smb.conf", "etc/krb5.conf")}
    controller = Controller(Site(breakable_lab, tmp_path), path)
    yield controller
    for file, content in before.items():
        (tree / file).write_bytes(content)
    shutil.rmtree(tree / PLACE.lstrip("/"), ignore_errors=True)
    controller.restart()
    breakable_lab.delete_users([user])


def test_a_controller_certified_anew_signs_users_in_and_the_old_certificate_is_refused(controller: Controller) -> None:
    old, new = controller.lab.spec.ca_cert, controller.pki / "ca.crt"
    controller.run_pki("ca", "--crl-url", "http://pki.corp.example/ca.crl")
    assert controller.signs_in(old)
    assert not controller.signs_in(new), "who trusts only the new authority refuses the old certificate"

    controller.run_pki("kdc", controller.host)
    controller.install()
    assert controller.signs_in(new)
    assert not controller.signs_in(old)
    wanted = ("dc-certificate", "dc-certificate-validity", "dc-certificate-purposes", "dc-certificate-name")
    more = ("dc-certificate-key", "dc-certificate-usage", "dc-certificate-trust", "pkinit-offered")
    only = [word for check in (*wanted, *more) for word in ("--only", check)]
    done = controller.site.run("doctor", *only, env=controller.trusting(new))
    assert done.returncode == 0, done.stdout + done.stderr

    assert controller.run_pki("kdc", controller.host)["changes"] == []
    controller.run_pki("kdc", controller.host, "--renew")
    controller.install()
    assert controller.signs_in(new), "and so it does with a renewed one"
