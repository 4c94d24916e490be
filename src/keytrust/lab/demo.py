"""The main job from end to end on the lab: register, plan, apply, sign in; and what must not work, does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from keytrust.config import Settings
from keytrust.device import Device
from keytrust.device.device import key_provision_resource
from keytrust.directory.domain import Domain
from keytrust.errors import LabError
from keytrust.lab import registry_service
from keytrust.lab.lab import Lab
from keytrust.lab.users import LabUser
from keytrust.registry.database import Database
from keytrust.registry.devices import register_device
from keytrust.registry.from_directory import import_domain
from keytrust.signin import Refusal, SigninResult, load_private_key, sign_in
from keytrust.sync.journal import Outcome
from keytrust.sync.report import RunReport

KEYED = ("alice", "bob", "carol", "dan")
"""Users who register a key; carol is an inetOrgPerson, which Entra Connect's rule misses."""
KEYLESS = "nora"
USERS = (
    *(LabUser(f"demo-{name}", inet_org_person=name == "carol") for name in KEYED),
    LabUser(f"demo-{KEYLESS}"),
)

Report = Callable[[str], None]


@dataclass(slots=True)
class Enrolment:
    """One user's way from the device to the ticket.

    Attributes:
        user: sAMAccountName.
        upn: User principal name.
        key_file: The private key, as the device keeps it.
        key_id: SHA-256 of the public key's material.
        kid: The key's id at the registry.
        registered_at: Monotonic time of the registry's answer.
        registration_ms: How long the registration call took.
        outcome: What the sync made of the key; None until it has run.
        signin: The sign-in; None until it was tried.
        total_ms: Milliseconds from the registry's answer to the ticket.
    """

    user: str
    upn: str
    key_file: Path
    key_id: bytes
    kid: UUID
    registered_at: float
    registration_ms: float
    outcome: Outcome | None = None
    signin: SigninResult | None = None
    total_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """Something that must be refused, and what came of it."""

    what: str
    upn: str
    expected: frozenset[Refusal]
    result: SigninResult

    @property
    def as_expected(self) -> bool:
        return not self.result.ok and self.result.refusal in self.expected


@dataclass(slots=True)
class Demo:
    """The demo's steps, in order. Each really does what it says, on the lab."""

    lab: Lab
    settings: Settings
    enrolments: list[Enrolment] = field(default_factory=list)
    denials: list[Denial] = field(default_factory=list)

    def prepare(self, report: Report) -> None:
        """Make the demo's users afresh and tell the registry of everybody in the directory.

        Raises:
            KeytrustError: a step failed.
        """
        keys = self._keys_folder()
        with Domain(self.settings.need_directory()) as domain:
            present = {account.name for account in domain.accounts()}
            self.lab.delete_users([user for user in USERS if user.sam in present])
            self.lab.add_users(USERS)
            # A lab's users come and go: that many of them are gone is no reason to doubt what was read.
            imported = import_domain(self.settings.need_registry(), domain, allow_deletions=10_000)
        for old in keys.glob("demo-*.pem"):
            old.unlink()
        report(f"{len(USERS)} users made in the directory; the registry imported {imported.added} new ones")

    def register(self, report: Report) -> None:
        """Play one device for each user: make a key, register it over HTTP with a fresh second factor."""
        registry = self.settings.need_registry()
        audience = key_provision_resource(registry.url, registry.tenant_name)
        issuer = registry_service.issuer(self.lab.spec)
        database = Database.open(registry.database_url)
        try:
            for name in KEYED:
                sam = f"demo-{name}"
                upn = f"{sam}@{self.lab.spec.domain}"
                device = Device(uuid4())
                register_device(database, device.device_id, owner_upn=upn, display_name=f"{name}'s laptop")
                key_file = self._keys_folder() / f"{sam}.pem"
                device.save_private_key(key_file)
                token = issuer.device_token(audience=audience, upn=upn, device_id=device.device_id)
                began = time.monotonic()
                answer = device.register(registry.url, registry.tenant_name, token)
                now = time.monotonic()
                self.enrolments.append(
                    Enrolment(sam, upn, key_file, device.key_id, answer.kid, now, (now - began) * 1000)
                )
                report(f"{upn} registered a key from device {device.device_id}")
        finally:
            database.close()

    def take_in(self, run: RunReport | None) -> None:
        """Note what the sync made of each registered key."""
        outcomes = {result.change.key_id: result.outcome for result in run.results} if run else {}
        for enrolment in self.enrolments:
            enrolment.outcome = outcomes.get(enrolment.key_id)

    def sign_in(self) -> None:
        """Sign in as each user with the private key alone."""
        for enrolment in self.enrolments:
            enrolment.signin = self._sign_in(enrolment.upn, enrolment.key_file)
            enrolment.total_ms = (time.monotonic() - enrolment.registered_at) * 1000

    def try_without_right(self) -> None:
        """Try what must be refused before anything was revoked: no key, and somebody else's key."""
        untrusted = frozenset({Refusal.CLIENT_NOT_TRUSTED, Refusal.CLIENT_NAME_MISMATCH})
        stranger = self._keys_folder() / "demo-stranger.pem"
        _save(generate_private_key(65537, 2048), stranger)
        first, second = self.enrolments[:2]
        keyless = f"demo-{KEYLESS}@{self.lab.spec.domain}"
        for what, upn, key_file in (
            ("a user with no registered key", keyless, stranger),
            ("a key that nobody registered", first.upn, stranger),
            (f"the key of {second.user}", first.upn, second.key_file),
        ):
            self.denials.append(Denial(what, upn, untrusted, self._sign_in(upn, key_file)))

    def revoke(self) -> Enrolment:
        """Revoke the last user's key at the registry, as an administrator does."""
        registry = self.settings.need_registry()
        victim = self.enrolments[-1]
        token = registry_service.issuer(self.lab.spec).administrator_token(audience=registry.graph_resource)
        url = f"{registry.url}/v1.0/users/{victim.upn}/authentication/windowsHelloForBusinessMethods/{victim.kid}"
        answer = httpx.delete(url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False)
        if answer.status_code != httpx.codes.NO_CONTENT:
            raise LabError(f"The registry did not revoke the key: {answer.status_code} {answer.text[:500]}")
        return victim

    def try_revoked(self, victim: Enrolment) -> None:
        """Try the revoked key after the sync that removed it."""
        refused = frozenset({Refusal.CLIENT_NOT_TRUSTED, Refusal.CLIENT_NAME_MISMATCH})
        self.denials.append(Denial("a revoked key", victim.upn, refused, self._sign_in(victim.upn, victim.key_file)))

    @property
    def succeeded(self) -> bool:
        """Whether everything that must work did, and everything that must not did not."""
        return all(e.signin is not None and e.signin.ok for e in self.enrolments) and all(
            denial.as_expected for denial in self.denials
        )

    def _sign_in(self, upn: str, key_file: Path) -> SigninResult:
        spec = self.lab.spec
        return sign_in(upn, load_private_key(key_file), kdc_ca=spec.ca_cert, krb5_config=spec.krb5_config)

    def _keys_folder(self) -> Path:
        folder = self.lab.spec.root / "devices"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def _save(key: RSAPrivateKey, path: Path) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    registry_service.write_secret(path, pem.decode())
