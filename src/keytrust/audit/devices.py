"""The devices that keys were made on: from a file of the cloud's devices, and from the directory's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from keytrust.audit.errors import AuditError
from keytrust.audit.model import Subject
from keytrust.audit.subject import LowerEntry
from keytrust.cloud import strict_json
from keytrust.cloud.file import decode_text
from keytrust.directory.account import sid_text
from keytrust.errors import DirectoryError

MAX_FILE = 1 << 30
"""Largest accepted file of devices, bytes."""

_MAX_OWNERS, _MAX_NAME = 100, 256

DEVICE_ATTRIBUTES = (
    "objectClass",
    "msDS-DeviceID",
    "msDS-IsEnabled",
    "msDS-RegisteredOwner",
    "msDS-CloudAnchor",
    "displayName",
)
"""What to ask a directory for, of its ``msDS-Device`` objects."""


class Device(NamedTuple):
    """One device.

    Attributes:
        id: The device id, lower case.
        name: For people.
        enabled: None when not told.
        owners: SIDs, source anchors (hex), UPNs and names of its users, all in lower case; empty when not told.
        local: Registered with Active Directory itself (AD FS), not written back from the cloud.
    """

    id: str
    name: str
    enabled: bool | None
    owners: frozenset[str]
    local: bool = False


class Devices:
    """All known devices.

    Attributes:
        source: Where they are known from, for people.
        complete: A device that keys from the cloud name and that is not among them does not exist.
    """

    def __init__(self, devices: Iterable[Device], *, source: str, complete: bool) -> None:
        self.source = source
        self.complete = complete
        self._devices = {device.id: device for device in devices}

    def __len__(self) -> int:
        return len(self._devices)

    def get(self, identifier: str) -> Device | None:
        """The device with this id."""
        return self._devices.get(identifier.lower())

    def vouches(self, identifier: str, subject: Subject) -> bool:
        """Whether a device registered with Active Directory itself stands behind a key of this account."""
        device = self.get(identifier) if identifier else None
        return device is not None and device.local and device.enabled is not False and owns(device, subject)

    def joined(self, others: Iterable[Device]) -> Devices:
        """These, and others that these know nothing of."""
        known = [*self._devices.values()]
        known += [device for device in others if device.id not in self._devices or device.local]
        return Devices(known, source=self.source, complete=self.complete)


def owns(device: Device, subject: Subject) -> bool:
    """Whether the device may be the account's: it is among the owners, or those are not told."""
    names = (subject.sid, subject.upn, subject.anchor.hex(), subject.guid.hex())
    return not device.owners or any(name and name.lower() in device.owners for name in names)


def comparable_owners(device: Device, subject: Subject) -> bool:
    """Whether the owners are told in a way that this account could be among them."""
    return any(
        (owner.startswith("s-1-") and bool(subject.sid)) or ("@" in owner and bool(subject.upn))
        for owner in device.owners
    )


def device_of(entry: LowerEntry) -> Device | None:
    """A device of the directory itself (class ``msDS-Device``, [MS-ADSC]); None when the entry is none."""
    values = entry.get("msds-deviceid")
    if not values or len(values[0]) != 16:
        return None
    enabled = (entry.get("msds-isenabled") or (b"",))[0].upper()
    owners: set[str] = set()
    told = entry.get("msds-registeredowner", ())
    for owner in told if len(told) <= _MAX_OWNERS else ():  # so many owners tell nothing
        try:
            owners.add((owner.decode("ascii") if owner[:2] == b"S-" else sid_text(owner)).lower())
        except (DirectoryError, UnicodeDecodeError):
            continue
    return Device(
        id=str(UUID(bytes_le=bytes(values[0]))),
        name=(entry.get("displayname") or (b"",))[0][:_MAX_NAME].decode("utf-8", "replace"),
        enabled={b"TRUE": True, b"FALSE": False}.get(enabled),
        owners=frozenset(owners),
        local=not entry.get("msds-cloudanchor"),
    )


def of_directory(devices: Iterable[Device], source: str) -> Devices | None:
    """The directory's own devices, or None when it has none and so tells nothing.

    They are complete for keys from the cloud only where the cloud's devices are written back.
    """
    found = list(devices)
    return Devices(found, source=source, complete=any(not device.local for device in found)) if found else None


def load(path: Path) -> Devices:
    """Read a file of devices as Microsoft Graph lists them: ``deviceId``, ``accountEnabled``, ``registeredOwners``.

    A list, a page ``{"value": [...]}`` or JSON lines. It is taken for the complete list of the tenant's devices.

    Raises:
        AuditError: the file cannot be read, is one page of several, or is not a list of devices.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise AuditError(f"The file of devices {path} cannot be read: {error.strerror}.") from error
    text = decode_text(data) if len(data) <= MAX_FILE else None
    if text is None or not text.strip():
        raise _damaged(path, "it is empty, too large or not Unicode text")
    try:
        items = list(_items(text))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not items:  # absent is not empty: by an empty list every key would be an orphan
        raise _damaged(path, "it lists no device at all, which is taken for a fault")
    return Devices([_device(path, item) for item in items], source=str(path), complete=True)


def _items(text: str) -> Iterator[object]:
    try:
        contents = [strict_json.loads(text)]
    except ValueError:
        contents = [strict_json.loads(line) for line in text.split("\n") if line.strip()]
    for whole in contents:
        content = whole
        if isinstance(content, Mapping) and "value" in content:
            if any("nextlink" in str(name).lower() for name in content):
                raise ValueError("it is one page of several (it has a nextLink)")
            content = content["value"]
        if isinstance(content, list):
            yield from content
        else:
            yield content


def _device(path: Path, item: object) -> Device:
    if not isinstance(item, Mapping):
        raise _damaged(path, "it holds something that is not a device")
    identifier = item.get("deviceId")
    try:
        known = str(UUID(identifier)) if isinstance(identifier, str) else None
    except ValueError:
        known = None
    if known is None:
        raise _damaged(path, "a device has no deviceId")
    enabled = item.get("accountEnabled")
    owners: set[str] = set()
    for people in (item.get("registeredOwners"), item.get("registeredUsers")):
        for person in people if isinstance(people, list) else ():
            if isinstance(person, Mapping):
                owners.update(_names(person))
    return Device(
        id=known,
        name=str(item.get("displayName") or ""),
        enabled=enabled if isinstance(enabled, bool) else None,
        owners=frozenset(owners),
    )


def _names(person: Mapping[str, object]) -> Iterator[str]:
    for name in ("userPrincipalName", "onPremisesUserPrincipalName", "onPremisesSecurityIdentifier"):
        value = person.get(name)
        if isinstance(value, str) and value:
            yield value.lower()


def _damaged(path: Path, what: str) -> AuditError:
    return AuditError(
        f"The file of devices {path} cannot be used: {what}.",
        not_done="Nothing was audited.",
        remedy="Export GET /devices?$select=deviceId,displayName,accountEnabled&$expand=registeredOwners to its end.",
    )
