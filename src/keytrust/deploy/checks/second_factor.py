"""Whether keys were made with a second factor, as far as the keys themselves say. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from keytrust.credential import CustomKeyFlags, KeyCredentialError, KeyCredentialLink, KeyUsage
from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, passed, warning
from keytrust.deploy.checks.world import Facts


def second_factor(facts: Facts) -> Iterator[Observation]:
    """What the keys of a sample of users say of how they were made ([MS-ADTS] 2.2.20.4, KEY_CUSTOM_INFO flags)."""
    users = facts.users
    if isinstance(users, Unread):
        yield cannot_tell(users)
        return
    asked = 0
    for account in users.sample:
        said = [flags for value in account.values if (flags := _flags(value)) is not None]
        asked += len(said)
        without = sum(bool(flags & CustomKeyFlags.MFA_NOT_USED) for flags in said)
        if without:
            yield warning(f"{without} of {len(said)} keys were made without a second factor", account.name)
    if asked:
        yield passed(f"{asked} keys of a sample of users were looked at")
    else:
        yield cannot_tell(
            "no key of the sample says how it was made; whether the tenant asks for a second factor is "
            "told by its own policies"
        )


def _flags(value: bytes) -> CustomKeyFlags | None:
    try:
        credential = KeyCredentialLink.parse(value).credential
    except KeyCredentialError:
        return None
    information = credential.custom_key_information
    return information.flags if information is not None and credential.usage == KeyUsage.NGC else None


CHECKS = (
    Check(
        "key-second-factor",
        Section.SIGN_IN,
        "The keys of a sample of users were made with a second factor",
        "Whoever can make a key with a password alone turns a stolen password into a key that outlives it.",
        "Require multi-factor authentication for registering security information and devices in the tenant; delete "
        "such keys there, and let the users make new ones",
        second_factor,
    ),
)
