"""What DNS names. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts


def service_records(facts: Facts) -> Iterator[Observation]:
    """Whether the service records name every domain controller that there is, and none that there is not."""
    if facts.complete is not None:
        yield cannot_tell(facts.complete)
    known = {controller.host.lower() for controller in facts.controllers}
    # An RODC and one that serves a single site need not be in the records of the whole domain.
    wanted = {
        controller.host.lower()
        for controller in facts.controllers
        if not isinstance(controller.listing, Unread) and not controller.listing.read_only
    }
    for service, hosts in facts.records.items():
        if isinstance(hosts, Unread):
            yield cannot_tell(hosts, service)
            continue
        missing, foreign = sorted(wanted - hosts), sorted(hosts - known)
        if not hosts:
            yield failed("there are no such records", service)
        elif missing and missing == sorted(wanted):
            yield failed(f"names none of the domain controllers, but {_some(sorted(hosts))}", service)
        elif foreign and facts.complete is None:
            yield failed(f"names {_some(foreign)}, which the directory does not have", service)
        elif missing:
            yield warning(f"does not name {_some(missing)}", service)
        else:
            yield passed(f"names {_some(sorted(hosts))}", service)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


CHECKS = (
    Check(
        "dns-records",
        Section.BASELINE,
        "DNS names every domain controller for LDAP and Kerberos, and no other",
        "Devices find domain controllers by these records alone.",
        "nltest /dsregdns or samba_dnsupdate on the domain controller that is missing; delete what is stale",
        service_records,
    ),
)
