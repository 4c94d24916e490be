"""What is wrong about one account's keys: one module for each kind of rule, all of them pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keytrust.audit.model import Finding, InspectedValue, Subject
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
    yield from devices.judge(context, subject, seen, states)
    yield from computers.judge(subject, seen)
    yield from accounts.judge(context, subject, seen, states)
    yield from controllers.judge(context, subject, seen)
