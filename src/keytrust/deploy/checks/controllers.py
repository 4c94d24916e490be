"""Which domain controllers there are, and whether they answer and know key trust. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from keytrust.deploy.checks.facts import KEY_TRUST_LEVEL, ControllerFacts, Unread
from keytrust.deploy.checks.levels import level_name
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts

_SAMBA_WITH_KEY_TRUST = (4, 24)
_SAMBA_VERSION = re.compile(r"(?:samba-?|\) )(\d+)\.(\d+)", re.IGNORECASE)


def answers(facts: Facts) -> Iterator[Observation]:
    """Whether each is reached by LDAP."""
    if facts.complete is not None:
        yield cannot_tell(f"only the configured servers are looked at: {facts.complete.why}")
    for controller in facts.controllers:
        if isinstance(controller.root, Unread):
            yield failed(controller.root.why, controller.host)
        elif isinstance(controller.listing, Unread):
            yield warning(f"{_product(controller)}; {controller.listing.why}", controller.host)
        else:
            yield passed(_product(controller), controller.host)


def _product(controller: ControllerFacts) -> str:
    """What it says it is; of Samba, whose name comes with an address, the name and the version."""
    if isinstance(controller.root, Unread):
        return ""
    version = re.search(r"\d+\.\d+\.\d+", controller.root.vendor) if controller.root.samba else None
    return f"Samba {version[0]}" if version else controller.root.vendor


def capable(controller: ControllerFacts) -> bool | None:
    """Whether a controller signs users in by key; None when that cannot be told."""
    if controller.samba is None or controller.level is None:
        return None
    if not controller.samba:
        return controller.level >= KEY_TRUST_LEVEL
    version = samba_version(controller)
    return None if version is None else version >= _SAMBA_WITH_KEY_TRUST


def samba_version(controller: ControllerFacts) -> tuple[int, int] | None:
    """Major and minor version of a Samba domain controller, from what it or the directory says."""
    said = []
    if not isinstance(controller.root, Unread):
        said.append(controller.root.vendor)
    if not isinstance(controller.listing, Unread):
        said.append(controller.listing.system)
    for text in said:
        if found := _SAMBA_VERSION.search(text):
            return int(found[1]), int(found[2])
    return None


def capable_in_each_site(facts: Facts) -> Iterator[Observation]:
    """Whether every site with domain controllers has one, better two, that know key trust."""
    if facts.complete is not None:
        yield cannot_tell(facts.complete)
    sites: dict[str, list[ControllerFacts]] = defaultdict(list)
    for controller in facts.controllers:
        if not isinstance(controller.listing, Unread):
            sites[controller.site].append(controller)
    for site, there in sorted(sites.items()):
        yield _site(f"site {site}", there)


def _site(subject: str, there: list[ControllerFacts]) -> Observation:
    able = [controller for controller in there if capable(controller)]
    unknown = [controller for controller in there if capable(controller) is None]
    seen = f"{len(able)} of {len(there)} domain controllers know key trust"
    if not able and unknown:
        return cannot_tell(f"the version of {len(unknown)} of {len(there)} is not known", subject)
    if not able:
        versions = ", ".join(sorted({_version(controller) for controller in there}))
        return failed(f"{seen} ({versions})", subject)
    if len(able) == 1 and len(there) > 1:
        return warning(f"{seen}: {able[0].host} is a single point of failure", subject)
    return passed(seen, subject)


def _version(controller: ControllerFacts) -> str:
    if not isinstance(controller.listing, Unread) and controller.listing.system:
        return controller.listing.system
    return f"level {level_name(controller.level)}" if controller.level is not None else "not known"


CHECKS = (
    Check(
        "dc-answers",
        Section.BASELINE,
        "Every domain controller answers LDAP from here",
        "Keys are written to the one that answers first, and confirmed there; a dead one keeps devices waiting.",
        "Start it, correct its DNS records, open port 389; or remove its metadata when it is gone for good",
        answers,
    ),
    Check(
        "dc-capable",
        Section.PREREQUISITES,
        "Every site has domain controllers that know key trust",
        "Only Windows Server 2016 or later and Samba 4.24 or later sign users in by key; where a site has none, "
        "sign-in goes to another site or fails.",
        "Add or upgrade a domain controller in the site",
        capable_in_each_site,
    ),
)
