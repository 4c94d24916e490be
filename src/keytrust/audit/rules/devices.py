"""Orphaned keys: whether the device that made a key exists, is enabled, and is this user's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keytrust.audit.devices import Devices, comparable_owners, owns
from keytrust.audit.model import Code, Finding, InspectedValue, Subject
from keytrust.audit.rules.context import NGC, SOURCE_AD, Registered, found

ORPHANED = {Code.NO_DEVICE, Code.DEVICE_DISABLED}


def judge(
    devices: Devices, subject: Subject, seen: Sequence[InspectedValue], states: Sequence[Registered]
) -> Iterator[Finding]:
    """The keys of a user: only Windows Hello keys have a device that can be looked up."""
    for value, state in zip(seen, states, strict=True):
        if value.usage != NGC or not value.device:
            continue
        device = devices.get(value.device)
        if device is None:
            # The directory's own devices say nothing of keys that the cloud registered, unless they are written back.
            if devices.complete or (value.source == SOURCE_AD and state is not Registered.YES):
                yield found(
                    Code.NO_DEVICE, subject, value, f"device {value.device} is not among those of {devices.source}"
                )
            continue
        shown = device.name or value.device
        if device.enabled is False:
            yield found(Code.DEVICE_DISABLED, subject, value, f"device {shown} is disabled")
        if not owns(device, subject) and comparable_owners(device, subject):
            owners = ", ".join(sorted(device.owners)[:3])
            yield found(Code.OTHERS_DEVICE, subject, value, f"device {shown} belongs to {owners}", owners=owners)
