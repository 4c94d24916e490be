"""Facts about group policies that set Windows Hello for Business. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keytrust.deploy.checks.facts import Unread

COMPUTERS, USERS = "computers", "users"
"""The two halves of a group policy."""


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """A group policy that is linked somewhere and sets registry values.

    Attributes:
        name: Its display name.
        linked: Distinguished names of what it is linked to, disabled links left out.
        settings: For each half that is in force, the numbers that it sets below
            ``Software\\Policies\\Microsoft\\PassportForWork``, by value name in lower case; or why they cannot be told.
        enrolment: ``AEPolicy`` of automatic certificate enrolment, as it is for computers; None when it is not set.
    """

    name: str
    linked: tuple[str, ...]
    settings: Mapping[str, Mapping[str, int]] | Unread
    enrolment: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """The domain's group policies.

    Attributes:
        policies: Those that are linked, enabled, and set registry values.
        hidden: How many policies are linked that the connector account does not see.
    """

    policies: tuple[GroupPolicy, ...]
    hidden: int = 0
