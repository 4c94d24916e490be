"""The first crossing with the registry in Microsoft Graph's place: over TLS, by an application's own credential.

Nothing here tells keytrust that it is not talking to Microsoft: ``kind = "graph"``, an authority, a CA file.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.site import keytrust
from tests.support.tls import make_client_certificate

from keytrust import config
from keytrust.device import Device
from keytrust.device.device import key_provision_resource
from keytrust.lab import Lab, LabUser, certificates, registry_service
from keytrust.registry.database import Database
from keytrust.registry.devices import register_device
from keytrust.registry.settings import RegistrySettings
from keytrust.signin import Refusal, SigninResult, sign_in

pytestmark = pytest.mark.lab


@contextmanager
def served(configuration: Path) -> Iterator[str]:
    """``keytrust registry serve`` in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "keytrust", "registry", "serve", "--config", str(configuration)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        url: str = json.loads(process.stderr.readline())["url"]
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def registry_toml(lab: Lab, folder: Path) -> Path:
    """A registry at the lab's address, with a certificate of the lab's CA, for the lab's domain."""
    spec = lab.spec
    authority = certificates.Pair(spec.ca_cert.read_bytes(), spec.ca_key.read_bytes())
    pair = certificates.issue_server(authority, spec.address)
    (folder / "tls.pem").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)
    issuer = registry_service.issuer(spec).trusted()
    path = folder / "registry.toml"
    path.write_text(
        directory_table(lab)
        + f"""
[registry]
database_url = "sqlite:///{folder}/registry.db"
host = "{spec.address}"
port = 0
tls_certificate = "{folder}/tls.pem"
tls_key = "{folder}/tls.key"
tenant_name = "{spec.domain}"
signing_keys = "{folder}/signing-keys"
log_requests = false

[[registry.issuers]]
issuer = "{issuer.issuer}"
jwks_file = "{issuer.jwks_file}"
"""
    )
    return path


def directory_table(lab: Lab) -> str:
    table = tomllib.loads(lab.spec.config.read_text(encoding="utf-8"))["directory"]
    return "[directory]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())


def connector_toml(lab: Lab, folder: Path, url: str, tenant: str, client: str, credential: str) -> Path:
    path = folder / "keytrust.toml"
    path.write_text(
        directory_table(lab)
        + f"""
[cloud]
kind = "graph"
url = "{url}"
authority = "{url}"
ca_file = "{lab.spec.ca_cert}"
tenant_id = "{tenant}"
client_id = "{client}"
{credential}

[store]
url = "sqlite:///{folder}/keytrust.db"
"""
    )
    return path


@pytest.mark.parametrize("credential", ["secret", "certificate"])
def test_a_key_registered_at_the_registry_signs_in_after_a_sync_through_graph(
    lab: Lab, make_user: Callable[..., LabUser], tmp_path: Path, credential: str
) -> None:
    user = make_user()
    upn = f"{user.sam}@{lab.spec.domain}"
    configuration = registry_toml(lab, tmp_path)
    settings = config.load(configuration).need_registry()

    assert keytrust("registry", "import", "--config", str(configuration)).returncode == 0
    proof = {"secret": ["--secret-file", str(tmp_path / "secret")], "certificate": ["--certificate", ""]}[credential]
    if credential == "certificate":
        public = make_client_certificate(tmp_path / "application.pem")
        (tmp_path / "public.pem").write_bytes(public)
        proof[1] = str(tmp_path / "public.pem")
    added = keytrust("registry", "app", "add", "connector", *proof, "--json", "--config", str(configuration))
    assert added.returncode == 0, added.stderr
    field = {
        "secret": f'client_secret_file = "{tmp_path}/secret"',
        "certificate": f'client_certificate_file = "{tmp_path}/application.pem"',
    }[credential]

    with served(configuration) as url:
        client = json.loads(added.stdout)["client_id"]
        connector = connector_toml(lab, tmp_path, url, str(settings.tenant_id), client, field)
        checked = keytrust("cloud", "check", "--json", "--config", str(connector))
        assert checked.returncode == 0, checked.stderr
        assert json.loads(checked.stdout)["keys_readable"]

        device = register(lab, settings, url, upn)
        assert signed_in(lab, upn, device).refusal is Refusal.CLIENT_NOT_TRUSTED
        done = keytrust("sync", "--config", str(connector))
        assert done.returncode == 0, done.stdout + done.stderr
        assert signed_in(lab, upn, device).ok
        keytrust("undo", "last", "--yes", "--config", str(connector))


def register(lab: Lab, settings: RegistrySettings, url: str, upn: str) -> Device:
    """Play the user's device: a new key, registered over TLS with a fresh second factor."""
    ca = lab.spec.ca_cert
    device = Device(uuid4())
    with closing(Database.open(settings.database_url)) as database:
        register_device(database, device.device_id, owner_upn=upn)
    token = registry_service.issuer(lab.spec).device_token(
        audience=key_provision_resource(url, settings.tenant_name, ca_file=ca), upn=upn, device_id=device.device_id
    )
    device.register(url, settings.tenant_name, token, ca_file=ca)
    return device


def signed_in(lab: Lab, upn: str, device: Device) -> SigninResult:
    return sign_in(upn, device.private_key, kdc_ca=lab.spec.ca_cert, krb5_config=lab.spec.krb5_config)
