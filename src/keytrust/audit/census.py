"""What was seen, in numbers: for the summary, the charts, and the counters that other tools report."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from keytrust.audit.devices import Devices
from keytrust.audit.model import AccountKind, Code, Finding, InspectedValue, Subject
from keytrust.audit.rules.context import DAY, NGC, Registered
from keytrust.audit.rules.devices import ORPHANED

AGES = ("under 1 month", "1 to 6 months", "6 to 12 months", "1 to 2 years", "2 to 3 years", "over 3 years", "not known")
_AGE_SECONDS = [days * DAY for days in (30, 182, 365, 730, 1095)]
USAGES = {0: "admin", 1: "NGC (Windows Hello)", 2: "STK (device)", 3: "BitLocker", 7: "FIDO", 8: "FEK"}


@dataclass(slots=True)
class Census:
    """Counts, all of things seen.

    Attributes:
        objects: Objects looked at.
        users: Users among them.
        users_with_keys: Users that hold any value.
        computers_with_keys: Computers that hold any value.
        values: Values.
        user_keys: Windows Hello keys of users.
        roca: ROCA-weak keys among those.
        orphaned: Those of them whose device does not exist or is disabled.
        ages: Windows Hello keys of users by age.
        usages: Values by usage.
        devices: Windows Hello keys of users by what is known of their device.
        registration: Windows Hello keys of users by whether they are registered.
        privileged: The same on privileged accounts.
    """

    objects: int = 0
    users: int = 0
    users_with_keys: int = 0
    computers_with_keys: int = 0
    values: int = 0
    user_keys: int = 0
    roca: int = 0
    orphaned: int = 0
    ages: Counter[str] = field(default_factory=Counter)
    usages: Counter[str] = field(default_factory=Counter)
    devices: Counter[str] = field(default_factory=Counter)
    registration: Counter[str] = field(default_factory=Counter)
    privileged: Counter[str] = field(default_factory=Counter)

    def numbers(self) -> dict[str, int | dict[str, int]]:
        """All of it by name, as plain data."""
        given = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in given}

    def count_empty(self, users: int, others: int) -> None:
        """Objects without any value."""
        self.objects += users + others
        self.users += users

    def take(
        self,
        subject: Subject,
        seen: Sequence[InspectedValue],
        states: Sequence[Registered],
        findings: Sequence[Finding],
        devices: Devices | None,
        now: int,
    ) -> None:
        """Count one object."""
        user = subject.kind is AccountKind.USER
        self.objects += 1
        self.users += user
        self.values += len(seen)
        if seen:
            self.users_with_keys += user
            self.computers_with_keys += subject.kind is AccountKind.COMPUTER
        for value, state in zip(seen, states, strict=True):
            self.usages[_usage(value)] += 1
            if not user or value.usage != NGC:
                continue
            self.user_keys += 1
            self.ages[age(value.created, now)] += 1
            self.registration[state.value] += 1
            self.devices[_device_state(value, devices)] += 1
            if value.issues:
                self.roca += any(issue.code is Code.ROCA for issue in value.issues)
            if subject.privileged:
                self.privileged[state.value] += 1
        if findings:
            self.orphaned += len({finding.evidence.get("value") for finding in findings if finding.code in ORPHANED})


def age(created: int | None, now: int) -> str:
    """One of ``AGES``."""
    if created is None:
        return AGES[-1]
    return AGES[bisect_right(_AGE_SECONDS, now - created)]


def _usage(value: InspectedValue) -> str:
    if not value.readable:
        return "unreadable"
    return "none" if value.usage is None else USAGES.get(value.usage, f"usage {value.usage}")


def _device_state(value: InspectedValue, devices: Devices | None) -> str:
    if not value.device:
        return "no device in the key"
    if devices is None:
        return "not checked"
    device = devices.get(value.device)
    if device is None:
        return "no such device"
    return "disabled" if device.enabled is False else "present"
