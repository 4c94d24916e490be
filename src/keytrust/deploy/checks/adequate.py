"""Whether the domain controllers that know key trust can carry it, and which of them lose keys. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from keytrust.deploy.checks.account_facts import UserFacts
from keytrust.deploy.checks.controllers import capable
from keytrust.deploy.checks.facts import ControllerFacts, Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts

MOST_SHARE = 0.7
"""Of a site's sign-ins that one domain controller should have to carry."""
_LOSING = {14393: (3930, 4048), 17763: (1457, 1613)}
"""Windows builds that delete keys after sign-in, by the revisions from which and to which they do."""
_BUILD = re.compile(r"\((\d+)(?:\.(\d+))?\)")


def load(facts: Facts) -> Iterator[Observation]:
    """The share of its site's sign-ins that falls to each domain controller that knows key trust."""
    if facts.complete is not None:
        yield cannot_tell(facts.complete)
    sites: dict[str, list[ControllerFacts]] = defaultdict(list)
    for controller in facts.controllers:
        if not isinstance(controller.listing, Unread):
            sites[controller.site].append(controller)
    for site, there in sorted(sites.items()):
        yield _site(f"site {site}", there, facts.users)


def share(capable_ones: int, all_of_them: int, enrolled: float) -> float:
    """The share of a site's sign-ins at each of its capable domain controllers.

    They alone serve those who sign in by key, and their part of the others too (the guide's page on it).

    Args:
        capable_ones: How many know key trust.
        all_of_them: How many there are.
        enrolled: The part of the users who sign in by key, 0 to 1.
    """
    return enrolled / capable_ones + (1 - enrolled) / all_of_them


def _site(subject: str, there: list[ControllerFacts], users: UserFacts | Unread) -> Observation:
    able = [controller for controller in there if capable(controller)]
    unknown = [controller for controller in there if capable(controller) is None]
    if unknown:
        return cannot_tell(f"the version of {len(unknown)} of {len(there)} is not known", subject)
    if not able:
        return failed(
            "none of its domain controllers knows key trust: all of its sign-ins by key go elsewhere", subject
        )
    if len(able) == len(there):
        return passed(f"all {len(there)} know key trust: keys do not change how the load is spread", subject)
    if isinstance(users, Unread):
        return cannot_tell(users, subject)
    if not users.complete or not users.enabled:
        most = share(len(able), len(there), 1)
        seen = f"{len(able)} of {len(there)} know key trust: at most {most:.0%} of the sign-ins at each"
        return passed(seen, subject) if most < MOST_SHARE else cannot_tell(f"{seen}; users were not counted", subject)
    enrolled = users.enrolled / users.enabled
    each = share(len(able), len(there), enrolled)
    seen = (
        f"{len(able)} of {len(there)} know key trust; with {enrolled:.0%} of users enrolled, {each:.0%} of the "
        "sign-ins at each"
    )
    return warning(seen, subject) if each >= MOST_SHARE else passed(seen, subject)


def builds(facts: Facts) -> Iterator[Observation]:
    """Whether a domain controller runs a build that deletes keys."""
    for controller in facts.controllers:
        listing = controller.listing
        if controller.samba:
            yield passed("Samba", controller.host)
        elif isinstance(listing, Unread):
            yield cannot_tell(listing, controller.host)
        else:
            yield _build(listing.version, controller)


def _build(version: str, controller: ControllerFacts) -> Observation:
    found = _BUILD.search(version)
    if found is None:
        return cannot_tell(f"its version is {version or 'not told'}", controller.host)
    build = int(found[1])
    if build not in _LOSING:
        return passed(f"build {build}", controller.host)
    first, last = _LOSING[build]
    losing = f"{build}.{first} to {build}.{last} delete keys"
    if found[2] is None:
        return cannot_tell(f"build {build}; the directory does not tell its revision, and {losing}", controller.host)
    seen = f"build {build}.{found[2]}"
    return (
        failed(f"{seen}: {losing}", controller.host)
        if first <= int(found[2]) <= last
        else passed(seen, controller.host)
    )


CHECKS = (
    Check(
        "dc-load",
        Section.ADEQUATE,
        "No domain controller has to carry 70 % of its site's sign-ins",
        "Those who sign in by key are served by the capable ones alone, which serve their part of the others too.",
        "Add or upgrade domain controllers in the site before more people are enrolled",
        load,
    ),
    Check(
        "dc-builds",
        Section.ISSUES,
        "No domain controller runs a Windows build that deletes keys",
        "Builds 14393.3930 to .4048 and 17763.1457 to .1613 delete a user's key after sign-in.",
        "Look at the revision with winver on each, install the current cumulative update, then accept this",
        builds,
    ),
)
