"""A running ``keytrust run`` beside a registry, and what its users and their neighbours do meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from tests.support.site import toml
from tests.support.warm import WarmProcess

from keytrust.config import Settings, load
from keytrust.credential import Dialect, attribute_text, build, rsa1_from_key
from keytrust.device import Device
from keytrust.device.device import RegisteredDeviceKey
from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.lab import Lab, LabUser
from keytrust.registry import Database, Issuer, RegistrySettings, import_users, register_device
from keytrust.registry.from_directory import imported
from keytrust.registry.server import running
from keytrust.signin import SigninResult, sign_in

PATIENCE = 60.0
"""Seconds for anything to happen: a loaded machine is slow, and what takes longer does not happen."""


@dataclass
class RunningService:
    """The program in a process of its own, which tests start, stop and kill.

    Attributes:
        lab: Whose domain controller it works on.
        folder: Where its files are.
        registry: The registry beside it.
        url: The registry's URL.
        warm: Whether the program is started from a process that has it loaded; see ``tests.support.warm``.
    """

    lab: Lab
    folder: Path
    registry: RegistrySettings
    issuer: Issuer
    url: str
    store: str
    extra: dict[str, dict[str, Any]] = field(default_factory=dict)
    warm: bool = False
    _process: subprocess.Popen[bytes] | WarmProcess | None = None
    _registered: dict[str, list[RegisteredDeviceKey]] = field(default_factory=dict)
    _told: list[dict[str, Any]] = field(default_factory=list)
    _read_to: int = 0

    @classmethod
    @contextmanager
    def beside_a_registry(cls, lab: Lab, folder: Path, store: str | None = None) -> Iterator[RunningService]:
        """A registry that is empty but for the connector account; the service is not started yet."""
        issuer = Issuer.open(folder / "issuer", algorithm="ES256")
        settings = RegistrySettings(
            database_url=f"sqlite:///{folder}/registry.db",
            port=0,
            issuers=(issuer.trusted(),),
            log_requests=False,
            registrations_per_minute=0,
        )
        Database.open(settings.database_url).close()
        with running(settings) as url:
            made = cls(lab, folder, settings, issuer, url, store or f"sqlite:///{folder}/keytrust.db")
            made.renew_token()
            try:
                yield made
            finally:
                made.kill()

    # -- the program --------------------------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        return self.folder / "keytrust.toml"

    @property
    def log(self) -> Path:
        return self.folder / "service.log"

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it has read both sides."""
        tables = tomllib.loads(self.lab.spec.config.read_text(encoding="utf-8"))
        del tables["registry"]
        tables["cloud"] = {"kind": "registry", "url": self.url, "token_file": str(self.folder / "token")}
        tables["store"] = {"url": self.store}
        for name, table in self.extra.items():
            tables[name] = {**tables.get(name, {}), **table}
        self.config.write_text(toml(tables), encoding="utf-8")
        seen = len(self.events("reconciled"))
        arguments = ["run", "--config", str(self.config)]
        if self.warm:
            self._process = WarmProcess(arguments, self.log)
        else:
            self._process = self._cold(arguments)
        if wait:
            self.eventually(lambda: len(self.events("reconciled")) > seen, "the first complete read")

    def _cold(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "keytrust", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "KEYTRUST_CONFIG": ""},
            )

    @property
    def process(self) -> subprocess.Popen[bytes] | WarmProcess:
        assert self._process is not None, "it was not started"
        return self._process

    def stop(self) -> int:
        """Tell it to stop, as the system does; its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it without a word; fine when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another keytrust command beside it."""
        return subprocess.run(
            [sys.executable, "-m", "keytrust", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "COLUMNS": "200"},
        )

    def twin(self, folder: Path) -> RunningService:
        """A second instance on the same store and registry, not started yet."""
        folder.mkdir()
        (folder / "token").write_bytes((self.folder / "token").read_bytes())
        return replace(self, folder=folder, _process=None, _registered={}, _told=[], _read_to=0)

    def is_writer(self) -> bool:
        """Whether it has the lease, as far as it says itself."""
        last = [each for kind in ("lease-gained", "lease-lost", "lease-released") for each in self.events(kind)]
        own = [each for each in last if f"process {self.process.pid})" in each["holder"]]
        return self.process.poll() is None and bool(own) and max(own, key=_time)["event"] == "lease-gained"

    def renew_token(self) -> None:
        """Put a new access token in the file, as whatever renews it does: each is good for an hour."""
        fresh = self.folder / "token.new"
        fresh.write_text(self.issuer.reader_token(audience=self.registry.graph_resource))
        fresh.replace(self.folder / "token")

    # -- what people and programs do ----------------------------------------------------------------------------

    def enrol(self, *users: LabUser) -> LabUser:
        """Make accounts known to the registry; returns the first."""
        with (
            Domain(self.directory) as domain,
            closing(self._database()) as database,
        ):
            accounts = [domain.find(user.sam) for user in users]
            import_users(database, list(imported(accounts, domain.name)), complete=False)
        return users[0]

    def upn(self, user: LabUser) -> str:
        return f"{user.sam}@{self.lab.spec.domain}"

    def register(self, user: LabUser) -> RSAPrivateKey:
        """The user's new device registers a key."""
        device = Device(uuid4())
        with closing(self._database()) as database:
            register_device(database, device.device_id, owner_upn=self.upn(user))
        token = self.issuer.device_token(
            audience=self.registry.key_provision_resource, upn=self.upn(user), device_id=device.device_id
        )
        done = device.register(self.url, self.registry.tenant_name, token)
        self._registered.setdefault(user.sam, []).append(done)
        return device.private_key

    @staticmethod
    def key_id(key: RSAPrivateKey) -> bytes:
        return hashlib.sha256(rsa1_from_key(key.public_key())).digest()

    def revoke(self, user: LabUser) -> None:
        """All of the user's keys are revoked."""
        token = self.issuer.administrator_token(audience=self.registry.graph_resource)
        for each in self._registered.pop(user.sam):
            path = f"/v1.0/users/{self.upn(user)}/authentication/windowsHelloForBusinessMethods/{each.kid}"
            answer = httpx.delete(self.url + path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == httpx.codes.NO_CONTENT, answer.text

    def plant(self, user: LabUser) -> str:
        """Somebody writes a key past the registry; returns the value."""
        account = self.account(user)
        material = rsa1_from_key(generate_private_key(65537, 2048).public_key())
        made = build(material, device_id=uuid4(), created=datetime.now(UTC), dialect=Dialect.PORTABLE)
        value = attribute_text(made, account.dn)
        change = f"changetype: modify\nadd: msDS-KeyCredentialLink\nmsDS-KeyCredentialLink: {value}\n-\n"
        self.lab.apply_ldif(f"dn: {account.dn}\n{change}\n")
        return value

    def delete_values(self, user: LabUser) -> None:
        """Somebody clears the account's keys; fine when there are none."""
        dn = self.account(user).dn
        self.lab.apply_ldif(f"dn: {dn}\nchangetype: modify\nreplace: msDS-KeyCredentialLink\n-\n\n")

    # -- what there is to see -----------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        return load(self.lab.spec.config)

    @property
    def directory(self) -> DirectorySettings:
        return self.settings.need_directory(self.lab.spec.domain)

    def account(self, user: LabUser) -> Account:
        with Domain(self.directory) as domain:
            return domain.find(user.sam)

    def sign_in(self, user: LabUser, key: RSAPrivateKey) -> SigninResult:
        spec = self.lab.spec
        return sign_in(self.upn(user), key, kdc_ca=spec.ca_cert, krb5_config=spec.krb5_config)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What it has logged of this kind."""
        self._read_on()
        return [each for each in self._told if each.get("event") == kind]

    def _read_on(self) -> None:
        """Take in what the log has got since it was last looked at: it may be long, and is asked often."""
        if not self.log.exists():
            return
        with self.log.open("rb") as log:
            log.seek(self._read_to)
            lines, newline, _ = log.read().rpartition(b"\n")
        self._read_to += len(lines) + len(newline)
        for line in lines.splitlines():
            with suppress(ValueError):  # a traceback, or a line that a kill has cut off
                told = json.loads(line)
                if isinstance(told, dict):
                    self._told.append(told)

    def await_event(self, kind: str, **fields: Any) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [each for each in self.events(kind) if fields.items() <= each.items()]

        self.eventually(found, f"{kind} {fields}")
        return found()[0]

    @contextmanager
    def told_anew(self, kind: str, **fields: Any) -> Iterator[list[dict[str, Any]]]:
        """At the end of the block wait until something of this kind has been logged since its beginning."""

        def found() -> list[dict[str, Any]]:
            return [each for each in self.events(kind) if fields.items() <= each.items()]

        before, told = len(found()), list[dict[str, Any]]()
        yield told
        self.eventually(lambda: len(found()) > before, f"{kind} {fields}")
        told += found()[before:]

    def await_values(self, user: LabUser, count: int) -> None:
        self.eventually(lambda: len(self.account(user).values) == count, f"{count} values on {user.sam}")

    def await_sign_in(self, user: LabUser, key: RSAPrivateKey) -> None:
        self.eventually(lambda: self.sign_in(user, key).ok, f"the sign-in of {user.sam}")

    def await_no_sign_in(self, user: LabUser, key: RSAPrivateKey) -> None:
        self.eventually(lambda: not self.sign_in(user, key).ok, f"the end of sign-ins of {user.sam}")

    def eventually(self, condition: Callable[[], object], what: str) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            told = self.log.read_text(encoding="utf-8", errors="replace")[-3000:] if self.log.exists() else ""
            assert time.monotonic() < deadline, f"{what} did not come; the log ends:\n{told}"
            time.sleep(0.1)

    def _database(self) -> Database:
        return Database.open(self.registry.database_url)


def _time(event: dict[str, Any]) -> str:
    return str(event["timestamp"])
