"""Accounts on which a key should not be, or not any longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keytrust.audit.model import Code, Finding, InspectedValue, Severity, Subject
from keytrust.audit.rules.context import DAY, FIDO, NGC, Context, Registered, day, found

_SIGNS_IN = {NGC, FIDO}
_SAID = {
    Registered.UNKNOWN: "whether the key is registered is not known",
    Registered.NOT_ASKED: "whether the key is registered was not checked",
}


def judge(
    context: Context, subject: Subject, seen: Sequence[InspectedValue], states: Sequence[Registered]
) -> Iterator[Finding]:
    """Users that are privileged, disabled, expired, unused; stale keys; too many keys."""
    signing = [(value, state) for value, state in zip(seen, states, strict=True) if value.usage in _SIGNS_IN]
    if not signing:
        return
    for value, state in signing:
        if subject.privileged:
            severity = Severity.LOW if state is Registered.YES else None
            said = _SAID.get(state, f"the key is {state}")
            yield found(Code.PRIVILEGED_ACCOUNT, subject, value, f"adminCount is 1; {said}", severity=severity)
        yield from _stale(context, subject, value)
    yield from _state_of_account(context, subject, len(signing))
    ngc = sum(value.usage == NGC for value, _ in signing)
    if ngc > context.thresholds.keys_per_user:
        yield found(Code.MANY_KEYS, subject, None, f"{ngc} Windows Hello keys on one account")


def _stale(context: Context, subject: Subject, value: InspectedValue) -> Iterator[Finding]:
    if value.usage != NGC:
        return  # security keys are meant to last
    limits = context.thresholds
    if value.last_used is not None and value.last_used >= context.now - limits.unused_days * DAY:
        return
    if value.created is not None and value.created < context.now - limits.key_age_days * DAY:
        yield found(Code.STALE_KEY, subject, value, f"registered on {day(value.created)}")
    elif value.last_used is not None:
        yield found(Code.STALE_KEY, subject, value, f"last used about {day(value.last_used)}")


def _state_of_account(context: Context, subject: Subject, keys: int) -> Iterator[Finding]:
    said = f"{keys} key{'s' if keys > 1 else ''}"
    if subject.enabled is False:
        yield found(Code.DISABLED_ACCOUNT, subject, None, f"{said} on a disabled account")
        return
    if subject.expires is not None and subject.expires < context.now:
        yield found(Code.EXPIRED_ACCOUNT, subject, None, f"{said}; the account expired on {day(subject.expires)}")
    last = subject.last_signin
    if last is not None and last < context.now - context.thresholds.unused_days * DAY:
        yield found(Code.UNUSED_ACCOUNT, subject, None, f"{said}; last sign-in about {day(last)}")
