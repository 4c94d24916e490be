"""Objects for audits, made small: a subject with values, audited at a fixed time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import UUID

from tests.support.world import NOW, dn, guid, sid

from keytrust.audit.auditor import Auditor
from keytrust.audit.devices import Device, Devices
from keytrust.audit.inspect import inspect
from keytrust.audit.model import AccountKind, Code, Finding, Subject, Vendor
from keytrust.audit.registered import RegisteredKeys
from keytrust.audit.rules import Context
from keytrust.audit.spool import Findings
from keytrust.cloud.source import CloudUser

DATA = Path(__file__).parents[2] / "data"
VECTORS: dict[str, str] = json.loads((DATA / "key_credentials.json").read_text())["vectors"]
PLANTED: dict[str, str] = json.loads((DATA / "audit" / "planted.json").read_text())["planted"]
PUBLISHED_ON = "CN=victim,OU=People,DC=corp,DC=example"

Account = tuple[Subject, Sequence[bytes]]


def subject(name: str, /, **fields: object) -> Subject:
    given = {"dn": dn(name), "name": name, "upn": f"{name}@corp.example", "guid": guid(name), "sid": sid(name)}
    given |= {"anchor": guid(name), "enabled": True} | fields
    return Subject(**given)  # type: ignore[arg-type]


def computer(name: str, /, **fields: object) -> Subject:
    return subject(name, kind=AccountKind.COMPUTER, **fields)


def planted(text: str, name: str) -> bytes:
    """A published value, moved to another account: only the DN differs."""
    return text.replace(PUBLISHED_ON, dn(name)).encode()


def vector(which: str, name: str) -> bytes:
    return f"B:{len(VECTORS[which])}:{VECTORS[which]}:{dn(name)}".encode()


def device(number: int, *owners: str, enabled: bool | None = True, local: bool = False) -> Device:
    return Device(str(UUID(int=number)), f"device {number}", enabled, frozenset(owners), local)


def devices(*known: Device, complete: bool = True) -> Devices:
    return Devices(known, source="devices.json", complete=complete)


def audit(
    *accounts: Account,
    cloud: Iterable[CloudUser] | None = None,
    known: Devices | None = None,
    vendor: Vendor | None = None,
    now: int | None = None,
    accepted: Iterable[str] = (),
) -> list[Finding]:
    """Every finding about these accounts."""
    registered = None if cloud is None else RegisteredKeys(cloud)
    context = Context(now or int(NOW.timestamp()), registered, known, vendor)
    with Findings(frozenset(accepted)) as findings:
        auditor = Auditor(context, findings)
        for who, values in accounts:
            auditor.take(who, [inspect(raw, who.dn) for raw in values])
        auditor.finish()
        return list(findings)


def codes(found: Iterable[Finding]) -> set[Code]:
    return {finding.code for finding in found}
