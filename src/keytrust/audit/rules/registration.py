"""Whether each key is registered: the test that tells a planted key from a real one.

Absent is not empty: where nothing is known of what is registered, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from keytrust.audit.model import AccountKind, Code, Finding, InspectedValue, Subject
from keytrust.audit.registered import Registration
from keytrust.audit.rules.context import NGC, SOURCE_AD, Context, Registered, found


def judge(
    context: Context, subject: Subject, seen: Sequence[InspectedValue]
) -> tuple[tuple[Registered, ...], list[Finding]]:
    """The state of registration of each value, and what follows from it."""
    if context.registered is None or subject.kind is not AccountKind.USER:
        return (Registered.NOT_ASKED,) * len(seen), []
    registration = context.registered.of(subject)
    states = tuple(_state(context, subject, value, registration) for value in seen)
    findings = []
    for value, state in zip(seen, states, strict=True):
        finding = _finding(subject, value, state, registration)
        if finding is not None:
            findings.append(finding)
    findings += _borrowed(subject, seen, states)
    findings += _missing(subject, seen, registration)
    return states, findings


def _state(context: Context, subject: Subject, value: InspectedValue, registration: Registration) -> Registered:
    # Security keys, file encryption keys and device keys are not in the list of Windows Hello keys and have rules of
    # their own. A value that cannot be read signs nobody in.
    if value.usage != NGC or not value.key_id:
        return Registered.NOT_ASKED
    if value.key_id in registration.keys or value.public_id in registration.keys:
        return Registered.YES
    # Keys registered with AD FS are of source AD, the cloud has never heard of them, and their device is an object
    # of this directory. Planting tools write source AD too, with a device that does not exist.
    if value.source == SOURCE_AD and context.devices is not None and context.devices.vouches(value.device, subject):
        return Registered.LOCALLY
    return Registered.UNKNOWN if registration.unknown else Registered.NO


def _finding(subject: Subject, value: InspectedValue, state: Registered, registration: Registration) -> Finding | None:
    if state is Registered.UNKNOWN:
        return found(
            Code.REGISTRATION_UNKNOWN,
            subject,
            value,
            f"not known whether this key is registered: {registration.unknown}",
        )
    if state is not Registered.NO:
        return None
    if registration.no_user:
        return found(Code.NO_CLOUD_USER, subject, value, "a sign-in key, and the cloud has no user for the account")
    number = len(registration.ngc)
    reported = {0: "no key", 1: "one key, not this one,"}.get(number, f"{number} keys, not this one,")
    message = f"the cloud reports {reported} for {registration.user}"
    return found(Code.NOT_REGISTERED, subject, value, message, cloud_user=registration.user)


def _borrowed(subject: Subject, seen: Sequence[InspectedValue], states: Sequence[Registered]) -> list[Finding]:
    """Keys that one device vouches for together: whoever plants a key can copy the device id of a genuine one."""
    local = [value for value, state in zip(seen, states, strict=True) if state is Registered.LOCALLY]
    keys_of: dict[str, set[bytes]] = {}
    for value in local:
        keys_of.setdefault(value.device, set()).add(value.public_id)
    return [
        found(Code.DEVICE_TWICE, subject, value, f"one of {len(keys_of[value.device])} keys of device {value.device}")
        for value in local
        if len(keys_of[value.device]) > 1
    ]


def _missing(subject: Subject, seen: Sequence[InspectedValue], registration: Registration) -> list[Finding]:
    if subject.partial or not registration.ngc:
        return []
    stored = {value.key_id for value in seen} | {value.public_id for value in seen}
    return [
        found(
            Code.REGISTERED_MISSING,
            subject,
            None,
            f"key {key_id.hex()[:16]}… is registered for {registration.user} but not in the directory",
            key=key_id.hex(),
        )
        for key_id in sorted(registration.ngc - stored)
    ]
