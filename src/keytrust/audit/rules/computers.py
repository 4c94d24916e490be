"""Keys of computers: they write one key of their own, in a form of its own.

A domain-joined computer registers its key under the validated write of its own account: usage NGC, source AD, no
device, PKCS#1 key material, and in later versions of Windows the flag that no second factor was used. Device transport
keys (STK) are another thing and belong to devices. Source: published values of real directories
(tests/data/key_credentials.json).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keytrust.audit.model import Code, Finding, InspectedValue, Subject
from keytrust.audit.rules.context import NGC, SOURCE_AD, found
from keytrust.credential import MaterialKind

MFA_NOT_USED = 2


def judge(subject: Subject, seen: Sequence[InspectedValue]) -> Iterator[Finding]:
    """Keys on a computer that it did not write itself, and more than one."""
    signing = [value for value in seen if value.usage == NGC]
    for value in signing:
        unlike = _unlike_a_computer(value)
        if unlike:
            yield found(Code.COMPUTER_USER_KEY, subject, value, "a computer's own key has " + " and ".join(unlike))
    if len(signing) > 1:
        for value in signing:
            yield found(Code.COMPUTER_SEVERAL_KEYS, subject, value, f"one of {len(signing)} sign-in keys of a computer")


def _unlike_a_computer(value: InspectedValue) -> list[str]:
    unlike = []
    if value.source != SOURCE_AD:
        unlike.append("the source Active Directory")
    if value.device:
        unlike.append("no device id")
    if value.material and value.material != MaterialKind.PKCS1:
        unlike.append("PKCS#1 key material")
    if value.information and not _flags(value.information) & MFA_NOT_USED:
        unlike.append("the flag that no second factor was used")
    return unlike


def _flags(information: bytes) -> int:
    return information[1] if len(information) > 1 else 0
