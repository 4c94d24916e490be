"""A site to run whole commands against: a lab's domain, a file or registry of registered keys, a journal of its own."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from keytrust import config
from keytrust.config import Settings
from keytrust.credential import rsa1_from_key
from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.lab import Lab

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass
class Site:
    """Registered keys live in a JSON file of Graph's shape that tests write as they like."""

    lab: Lab
    folder: Path
    users: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tables = tomllib.loads(self.lab.spec.config.read_text(encoding="utf-8"))
        tables["cloud"] = {"kind": "file", "path": str(self.cloud)}
        tables["store"] = {"url": f"sqlite:///{self.folder}/keytrust.db"}
        del tables["registry"]
        tables.pop("domains", None)
        self.config.write_text(toml(tables), encoding="utf-8")
        self.save()

    @property
    def config(self) -> Path:
        return self.folder / "keytrust.toml"

    @property
    def cloud(self) -> Path:
        return self.folder / "cloud.json"

    @property
    def settings(self) -> Settings:
        return config.load(self.config)

    def save(self) -> None:
        self.cloud.write_text(json.dumps({"value": list(self.users.values())}), encoding="utf-8")

    def register(self, account: Account, key: RSAPrivateKey | None = None, device: UUID | None = None) -> RSAPrivateKey:
        """Register a key for an account, as if its device had."""
        key = key or generate_private_key(65537, 2048)
        user = self.users.setdefault(account.name, self.cloud_user(account))
        user["deviceKeys"].append(
            {
                "deviceId": str(device or uuid4()),
                "keyMaterial": base64.b64encode(rsa1_from_key(key.public_key())).decode(),
                "keyType": "NGC",
            }
        )
        self.save()
        return key

    @staticmethod
    def cloud_user(account: Account) -> dict[str, Any]:
        return {
            "id": str(uuid4()),
            "userPrincipalName": account.upn,
            "onPremisesImmutableId": base64.b64encode(account.source_anchor).decode(),
            "onPremisesSecurityIdentifier": account.sid,
            "deviceKeys": [],
        }

    def account(self, name: str) -> Account:
        """The account as the directory shows it now."""
        with Domain(self.settings.need_directory()) as domain:
            return domain.find(name)

    def run(
        self, *arguments: str, env: dict[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run ``keytrust`` with this site's configuration, as a user would."""
        return keytrust(*arguments, env={config.VARIABLE: str(self.config)} | (env or {}), stdin=stdin)


def keytrust(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = "", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "keytrust", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "COLUMNS": "200", **(env or {})},
    )


def toml(tables: Mapping[str, Mapping[str, Any]], above: str = "") -> str:
    """Tables as TOML, tables in them too."""
    lines = []
    for name, table in tables.items():
        place = above + (name if _BARE.fullmatch(name) else json.dumps(name))
        within = {key: value for key, value in table.items() if isinstance(value, Mapping)}
        lines.append(f"[{place}]\n")
        # JSON's strings, numbers and flat arrays are TOML's too.
        lines += [f"{key} = {json.dumps(value)}\n" for key, value in table.items() if key not in within]
        lines.append(toml(within, f"{place}."))
    return "".join(lines)
