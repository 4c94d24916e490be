"""Which ports of the domain controllers take connections from here. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts

_SERVICES = {88: "Kerberos", 389: "LDAP", 636: "LDAPS"}


def reach(facts: Facts) -> Iterator[Observation]:
    """Whether each takes connections on every port that this configuration needs."""
    if facts.complete is not None:
        yield cannot_tell(f"only the configured servers are looked at: {facts.complete.why}")
    for controller in facts.controllers:
        if isinstance(controller.ports, Unread):
            yield cannot_tell(controller.ports, controller.host)
            continue
        closed = [f"port {port} ({_SERVICES[port]}): {why}" for port, why in controller.ports.items() if why]
        open_ = [f"{port} ({_SERVICES[port]})" for port, why in controller.ports.items() if not why]
        if not closed:
            yield passed(f"takes connections on {', '.join(open_)}", controller.host)
        elif not isinstance(controller.listing, Unread) and controller.listing.read_only:
            yield warning(f"{'; '.join(closed)}; it is read-only, so keytrust does without", controller.host)
        else:
            yield failed("; ".join(closed), controller.host)


CHECKS = (
    Check(
        "connector-reach",
        Section.BASELINE,
        "Every domain controller takes connections from here on each port that keytrust needs",
        "When the domain controller in use fails, keytrust goes on at the next; one that cannot be reached is no help.",
        "Open the ports from here to that domain controller, in every firewall between; correct its address in DNS",
        reach,
    ),
)
