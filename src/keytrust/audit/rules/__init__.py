"""What is wrong about one account's keys: one module for each kind of rule, all of them pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keytrust.audit.model import AccountKind, Finding, InspectedValue, Subject
from keytrust.audit.rules import accounts, computers, controllers, devices, registration, values
from keytrust.audit.rules.context import Context, Registered

__all__ = ["Context", "Registered", "judge"]


def judge(
    context: Context, subject: Subject, seen: Sequence[InspectedValue]
) -> tuple[Iterator[Finding], tuple[Registered, ...]]:
    """Everything there is to say of one account and its values, and the state of registration of each value."""
    states, findings = registration.judge(context, subject, seen)
    return _all(context, subject, seen, states, findings), states


def _all(
    context: Context,
    subject: Subject,
    seen: Sequence[InspectedValue],
    states: tuple[Registered, ...],
    registered: list[Finding],
) -> Iterator[Finding]:
    yield from registered
    if not seen:
        return
    yield from values.judge(subject, seen)
    if subject.kind is AccountKind.COMPUTER:
        yield from computers.judge(subject, seen)
    elif subject.kind is AccountKind.USER:
        if context.devices is not None:
            yield from devices.judge(context.devices, subject, seen, states)
        yield from accounts.judge(context, subject, seen, states)
        if context.vendor is not None:
            yield from controllers.judge(context.vendor, subject, seen)
