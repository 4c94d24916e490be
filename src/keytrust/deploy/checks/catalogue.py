"""All checks, in the order of the guide. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from keytrust.deploy.checks import (
    adequate,
    authorities,
    certificates,
    cloud,
    connector,
    controllers,
    kerberos,
    levels,
    names,
    policy,
    reach,
    rollout,
    second_factor,
)
from keytrust.deploy.checks.model import Check, Section
from keytrust.errors import ConfigError

_ORDER = {section: number for number, section in enumerate(Section)}

CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (
            *levels.CHECKS,
            *controllers.CHECKS,
            *reach.CHECKS,
            *kerberos.CHECKS,
            *second_factor.CHECKS,
            *names.CHECKS,
            *cloud.CHECKS,
            *rollout.CHECKS,
            *connector.CHECKS,
            *certificates.CHECKS,
            *authorities.CHECKS,
            *policy.CHECKS,
            *adequate.CHECKS,
        ),
        key=lambda check: _ORDER[check.section],
    )
)


def chosen(ids: Sequence[str]) -> tuple[Check, ...]:
    """The checks with these ids, or all when none is given.

    Raises:
        ConfigError: there is no check of that id.
    """
    if not ids:
        return CHECKS
    known = {check.id: check for check in CHECKS}
    for each in ids:
        if each not in known:
            raise ConfigError(
                f"There is no check {each}.",
                not_done="Nothing was checked.",
                remedy="`keytrust doctor --list` shows the ids of all checks.",
            )
    return tuple(check for check in CHECKS if check.id in ids)
