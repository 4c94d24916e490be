"""A registry over TLS with users, devices, keys and applications, for clients that know only Microsoft Graph."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from cryptography.x509 import load_pem_x509_certificate
from tests.integration.registry.registry_site import DESKTOP, LAPTOP, Site, account, material
from tests.support.tls import TlsFiles, make_client_certificate, make_tls

from keytrust.registry import import_users, running
from keytrust.registry.applications import add_application
from keytrust.registry.tokens import ADMINISTRATOR, READER

NAMES = ["alice", "bob", "carol", *(f"user{number:02}" for number in range(27))]


def pytest_configure(config: pytest.Config) -> None:
    """The SDK warns of its own classes, dozens of times, wherever it is imported."""
    for module in ("msgraph_beta", "kiota_abstractions"):
        config.addinivalue_line("filterwarnings", f"ignore::DeprecationWarning:{module}.*")


@dataclass
class Served:
    """A registry that is being served, and who may read it."""

    site: Site
    url: str
    tls: TlsFiles
    reader: tuple[str, str]
    administrator: tuple[str, str]
    by_certificate: tuple[str, Path]

    @property
    def tenant(self) -> str:
        return str(self.site.settings.tenant_id)

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.tls.ca))

    def register(self, name: str, blob: bytes, device: UUID = LAPTOP) -> str:
        """Register a key as a device does; its id."""
        token = self.site.device_token(name, device)
        answer = httpx.post(
            f"{self.url}/EnrollmentServer/key/?api-version=1.0",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            json={"kngc": base64.b64encode(blob).decode()},
            verify=self.trust,
        )
        assert answer.status_code == 200, answer.text
        kid: str = answer.json()["kid"]
        return kid


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("registry")
    tls = make_tls(directory)
    site = Site.make(
        directory, tls_certificate=tls.certificate, tls_key=tls.key, signing_keys=directory / "signing-keys"
    )
    import_users(site.database, [account(name, display_name=f"User {name}") for name in NAMES], complete=True)
    reader, secret = add_application(site.database, "reader", roles=[READER])
    administrator, other = add_application(site.database, "administrator", roles=[READER, ADMINISTRATOR])
    pem = directory / "application.pem"
    certificate = load_pem_x509_certificate(make_client_certificate(pem))
    certified, _ = add_application(site.database, "certified", roles=[READER], certificate=certificate)
    assert secret is not None
    assert other is not None
    try:
        with running(site.settings) as url:
            made = Served(site, url, tls, (reader.id, secret), (administrator.id, other), (certified.id, pem))
            made.register("alice", material(1))
            made.register("alice", material(2), DESKTOP)
            made.register("bob", material(3), DESKTOP)
            yield made
    finally:
        site.database.close()
