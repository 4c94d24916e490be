"""A registry with users, a device and an issuer, for tests that talk to it over HTTP."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import shake_256
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa

from keytrust.cloud import CloudUser
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.tokens import TokenFile
from keytrust.credential import rsa1_from_key, to_rsa1, weaknesses
from keytrust.registry import Database, ImportedUser, Issuer, RegistrySettings, import_users, register_device
from keytrust.registry.user_import import DeletionLimit

ANY = DeletionLimit(raised_to=1_000_000)
LAPTOP, DESKTOP = UUID(int=1), UUID(int=2)


@cache
def material(number: int) -> bytes:
    """The RSA1 blob of an honest RSA-2048 key, one for each number."""
    return rsa1_from_key(rsa.generate_private_key(65537, 2048).public_key())


def quick_material(number: int) -> bytes:
    """The RSA1 blob of a modulus that is acceptable and that nobody has the key of: made in no time, for many."""
    modulus = int.from_bytes(shake_256(b"%d" % number).digest(256), "big") | 1 << 2047 | 1
    while weaknesses(modulus, 65537):
        modulus += 2
    return to_rsa1(modulus, 65537)


@dataclass
class Site:
    """Everything a test needs to talk to one registry."""

    directory: Path
    issuer: Issuer
    settings: RegistrySettings
    database: Database
    url: str = ""

    @classmethod
    def make(cls, directory: Path, **settings: Any) -> Site:
        """Users alice, bob and carol, and two devices; not serving yet."""
        issuer = Issuer.open(directory / "issuer", algorithm="ES256")
        given = {"database_url": f"sqlite:///{directory}/registry.db", "log_requests": False, **settings}
        made = RegistrySettings(port=0, issuers=(issuer.trusted(),), **given)
        database = Database.open(made.database_url)
        import_users(database, [account(name) for name in ("alice", "bob", "carol")], complete=True)
        for device in (LAPTOP, DESKTOP):
            register_device(database, device, owner_upn="alice@example.org", display_name=f"PC {device.int}")
        return cls(directory, issuer, made, database)

    def device_token(self, name: str = "alice", device: UUID = LAPTOP, **claims: Any) -> str:
        """A fresh device token of a user."""
        audience = self.settings.key_provision_resource
        return self.issuer.device_token(audience=audience, upn=f"{name}@example.org", device_id=device, **claims)

    def reader(self) -> dict[str, str]:
        """The header of an application that may read."""
        return {"Authorization": f"Bearer {self.issuer.reader_token(audience=self.settings.graph_resource)}"}

    def administrator(self) -> dict[str, str]:
        """The header of an application that may revoke."""
        return {"Authorization": f"Bearer {self.issuer.administrator_token(audience=self.settings.graph_resource)}"}

    def post(
        self,
        blob: bytes,
        token: str,
        *,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """A registration request."""
        body = b'{"kngc":"%s"}' % base64.b64encode(blob) if content is None else content
        base = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Content-Type": "application/json"}
        return httpx.post(
            f"{self.url}/EnrollmentServer/key/",
            params={"api-version": "1.0"} if params is None else params,
            headers={**base, **(headers or {})},
            content=body,
        )

    def get(self, path: str) -> httpx.Response:
        """A Graph request by a reader."""
        return httpx.get(self.url + path, headers=self.reader())

    def read(self) -> dict[str, CloudUser]:
        """All users as ``GraphSource`` reads them, by the local part of their name."""
        path = self.directory / f"token-{secrets.token_hex(4)}"
        path.write_text(self.issuer.reader_token(audience=self.settings.graph_resource))
        return {user.upn.partition("@")[0]: user for user in GraphSource(self.url, TokenFile(path)).read()}

    def materials(self, name: str = "alice") -> list[bytes]:
        """The key material registered for a user, as ``GraphSource`` reads it."""
        return [key.material for key in self.read()[name].keys.keys]


def account(name: str, **changes: Any) -> ImportedUser:
    """An account whose source anchor and SID follow from its name."""
    given = {
        "source_anchor": name.encode().ljust(16, b"\0")[:16],
        "upn": f"{name}@example.org",
        "sid": f"S-1-5-21-1-2-3-{1000 + sum(name.encode())}",
        "sam_account_name": name,
        "distinguished_name": f"CN={name},DC=example,DC=org",
        "domain": "example.org",
    }
    return ImportedUser(**{**given, **changes})


def at_once(work: list[Callable[[], Any]]) -> list[Any]:
    """Run every piece of work in its own thread, all released in the same moment; their results in order."""
    barrier = threading.Barrier(len(work))
    results: list[Any] = [None] * len(work)

    def run(index: int) -> None:
        barrier.wait(10)
        results[index] = work[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def assert_refused(site: Site, answer: httpx.Response, status: int, target: str) -> None:
    """The documented error body ([MS-KPP] 2.2.3.1), and nothing registered."""
    body = answer.json()
    assert (answer.status_code, body["target"]) == (status, target), body
    assert set(body) == {"code", "message", "response", "target", "clientrequestid", "time", "innererror"}
    assert body["response"] == "ERROR_FAIL"
    assert body["innererror"] == {"trace": None, "context": None}
    assert "request-id" in answer.headers
    assert all(site.materials(name) == [] for name in ("alice", "bob", "carol"))
