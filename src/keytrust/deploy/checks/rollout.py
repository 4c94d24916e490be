"""What the roll-out to devices and people needs of the directory. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts

NAME, ID = "azureadname:", "azureadid:"


def registration(facts: Facts) -> Iterator[Observation]:
    """Whether domain computers find the tenant."""
    point = facts.registration
    if isinstance(point, Unread):
        yield cannot_tell(point)
        return
    if point.keywords is None:
        yield failed("there is no service connection point")
        return
    names = [word for word in point.keywords if word.lower().startswith(NAME)]
    ids = [word for word in point.keywords if word.lower().startswith(ID)]
    if len(names) != 1 or len(ids) != 1:
        have = ", ".join(point.keywords) or "none"
        yield failed(f"it must have one keyword azureADName and one azureADId, and has {have}")
        return
    tenant = ids[0].partition(":")[2]
    if _uuid(tenant) is None:
        yield failed(f"{ids[0]} is not an id")
        return
    configured = "" if isinstance(facts.cloud, Unread) else facts.cloud.tenant
    if _uuid(configured) not in (None, _uuid(tenant)):
        yield failed(f"it names the tenant {tenant}, and the configuration {configured}")
        return
    yield passed(", ".join((*names, *ids)))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def pilot_group(facts: Facts) -> Iterator[Observation]:
    """Whether there is a group to roll out to."""
    users = facts.users
    if isinstance(users, Unread):
        yield cannot_tell(users)
    elif not users.pilot_groups:
        yield warning('there is no group whose name begins with "Windows Hello for Business"')
    else:
        for name, members in users.pilot_groups:
            yield passed("has members", name) if members else warning("has no members", name)


CHECKS = (
    Check(
        "device-registration",
        Section.DEVICES,
        "Domain computers find the tenant by the service connection point",
        "Without it no domain computer registers, and only registered devices make keys. Where all devices are joined "
        "to the cloud alone it is not needed: then accept this.",
        "keytrust setup scp",
        registration,
    ),
    Check(
        "rollout-group",
        Section.ACTIVE_DIRECTORY,
        "There is a group of the people that Windows Hello for Business is rolled out to",
        "The guide lets policy apply to its members, so that it can be extended step by step. A group of another name "
        "does as well: then accept this.",
        'New-ADGroup or samba-tool group add "Windows Hello for Business Users"',
        pilot_group,
    ),
)
