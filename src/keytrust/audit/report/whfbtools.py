"""The CSV that Microsoft's WHfBTools module gave (``Get-ADWHfBKeys``, ``Get-AzureADWHfBKeys``), column by column.

The module stopped working with Azure AD Graph; reports made from its CSV go on with ours. As ``Export-Csv`` writes it,
every field is quoted. Like the module, it lists Windows Hello keys (usage NGC) of users only. Unlike the module's, its
names cannot be formulas or steer a terminal.
"""

from __future__ import annotations

import csv
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO

from keytrust.audit.census import Census
from keytrust.audit.devices import Devices
from keytrust.audit.model import AccountKind, Code, Finding, InspectedValue, Subject
from keytrust.audit.report.rows import harmless
from keytrust.audit.rules.context import NGC, Registered
from keytrust.audit.rules.devices import ORPHANED
from keytrust.cloud.source import NGC as NGC_TYPE
from keytrust.cloud.source import CloudUser
from keytrust.credential import (
    KeyCredentialError,
    KeyCredentialLink,
    KeyTime,
    RsaPublicKey,
    Weakness,
    parse_material,
    weaknesses,
)
from keytrust.visible import visible

AD_COLUMNS = (
    *("UserDomain", "UserSamAccountName", "UserDistinguishedName", "KeyVersion", "KeyId", "KeyMaterial", "KeySource"),
    *("KeyUsage", "KeyDeviceId", "KeyApproximateLastLogonTimestamp", "KeyCreationTime", "CustomKeyInformation"),
    *("KeyLinkTargetDN", "ROCAVulnerable", "OrphanedKey", "KeyRawLDAPValue"),
)
CLOUD_COLUMNS = (
    *("userPrincipalName", "Tenant", "DeviceId", "Usage", "Id", "CreationTime", "RocaVulnerable", "Orphaned"),
)
_NEVER = "0001-01-01T00:00:00.0000000"
_IN_MEMORY = 16 << 20


class Rows:
    """Collects lines while an audit runs; as many as there are, in bounded memory."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY, mode="w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, quoting=csv.QUOTE_ALL)
        self._writer.writerow(columns)

    def add(self, cells: Sequence[object]) -> None:
        """Add a line."""
        self._writer.writerow(cells)

    def write(self, out: IO[str]) -> None:
        """Write all lines, and forget them."""
        self._file.seek(0)
        while text := self._file.read(1 << 20):
            out.write(text)
        self._file.close()


class AdRows(Rows):
    """The lines of ``Get-ADWHfBKeys``: the observer of an audit."""

    def __init__(self, devices_known: Callable[[], bool]) -> None:
        """``devices_known`` tells, while the audit runs, whether it knows the devices."""
        super().__init__(AD_COLUMNS)
        self._devices_known = devices_known

    def __call__(
        self, subject: Subject, value: InspectedValue, _state: Registered, findings: Sequence[Finding]
    ) -> None:
        if subject.kind is not AccountKind.USER or value.usage != NGC:
            return
        try:
            link = KeyCredentialLink.parse(value.raw)
        except KeyCredentialError:
            return
        identity = value.identity.hex()
        orphaned = any(f.code in ORPHANED and f.evidence.get("value") == identity for f in findings)
        credential = link.credential
        self.add(
            (
                harmless(_domain(subject.dn)),
                harmless(subject.name),
                harmless(subject.dn),
                credential.version >> 8,
                _base64(credential.key_id),
                _base64(credential.key_material),
                {0: "AD", 1: "AzureAD"}.get(-1 if value.source is None else value.source, "Unknown"),
                "NGC",
                value.device,
                _time(credential.last_logon),
                _time(credential.created),
                _base64(value.information),
                harmless(link.dn),
                any(issue.code is Code.ROCA for issue in value.issues),
                orphaned if self._devices_known() else "Not checked",
                visible(link.text),
            )
        )


def cloud_rows(users: Iterable[CloudUser], rows: Rows, devices: Devices | None) -> Iterator[CloudUser]:
    """Pass users through and add the lines of ``Get-AzureADWHfBKeys`` for each."""
    for user in users:
        for key in user.keys.keys:
            if key.key_type == NGC_TYPE:
                device = str(key.device_id or "")
                known = devices.get(device) if devices is not None else None
                orphaned: object = known is None if devices is not None else "Not checked"
                created = key.created.strftime("%Y-%m-%dT%H:%M:%S.%f0Z") if key.created else ""
                identifier = b64encode(key.key_id).decode()
                roca = _is_roca(key.material)
                rows.add(
                    (
                        harmless(user.upn or user.id),
                        harmless(user.upn.rpartition("@")[2]),
                        device,
                        "NGC",
                        identifier,
                        created,
                        roca,
                        orphaned,
                    )
                )
        yield user


def counters(census: Census, *, orphans_known: bool) -> list[str]:
    """The summary that the module prints with ``-Report``."""
    lines = [
        f"Users scanned: {census.users}",
        f"Users with WHfB keys: {census.users_with_keys}",
        f"Total WHfB Keys: {census.user_keys}",
        f"Total ROCA vulnerable keys: {census.roca}",
    ]
    return [*lines, f"Total orphaned keys: {census.orphaned}"] if orphans_known else lines


def _is_roca(material: bytes) -> bool:
    try:
        key = parse_material(material).public_key
    except KeyCredentialError:
        return False
    return isinstance(key, RsaPublicKey) and Weakness.ROCA in weaknesses(key.n, key.e)


def _domain(dn: str) -> str:
    parts = [part.strip()[3:] for part in dn.split(",") if part.strip()[:3].upper() == "DC="]
    return ".".join(parts)


def _base64(data: bytes | None) -> str:
    return "" if data is None else b64encode(data).decode()


def _time(time: KeyTime | None) -> str:
    if time is None:
        return ""
    return _NEVER if time.raw == 0 else time.isoformat() or ""
