"""The chain of one domain controller: reached, able to sign in by key, and its view of the account. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keytrust.directory.controller import KEY_TRUST_LEVEL, DomainController
from keytrust.explain import account_state
from keytrust.explain.account_state import AccountState
from keytrust.explain.model import ControllerChain, Link, State, Symptom
from keytrust.sync.stored import StoredKey

SAMBA_KEY_TRUST = (4, 24)
"""The first Samba whose KDC signs users in by key."""


@dataclass(frozen=True, slots=True)
class ControllerFacts:
    """What was learned of one domain controller, and from it.

    Attributes:
        host: Its DNS name.
        read_only: As the directory lists it.
        fault: Why it could not be asked by LDAP; empty when it could.
        controller: What it says of itself; None when it could not be asked.
        account: The account's state there; None when it could not be asked, or does not know the account.
        keys: The account's key credential values there; None as above.
        kdc: Links about its KDC: certificate, PKINIT.
    """

    host: str
    read_only: bool
    fault: str = ""
    controller: DomainController | None = None
    account: AccountState | None = None
    keys: tuple[StoredKey, ...] | None = None
    kdc: tuple[Link, ...] = ()


def chain(facts: ControllerFacts, *, now: datetime) -> ControllerChain:
    """The chain for one domain controller."""
    links = [_reached(facts)]
    if facts.controller is not None:
        links.append(_capable(facts.controller, read_only=facts.read_only))
    links += facts.kdc
    if facts.controller is not None and not facts.fault:
        links.append(_account(facts, now))
    writable = None if facts.controller is None else not (facts.read_only or facts.controller.read_only)
    return ControllerChain(facts.host, writable, tuple(links))


def _reached(facts: ControllerFacts) -> Link:
    if facts.fault:
        # Clients may reach it all the same: what is known is only that we do not.
        return Link(
            "reached", State.CANNOT_TELL, facts.fault, "Check that it runs and is reachable.", Symptom.NO_DOMAIN
        )
    vendor = facts.controller.vendor if facts.controller else ""
    return Link("reached", State.OK, f"{facts.host} answers ({vendor}).")


def _capable(controller: DomainController, *, read_only: bool) -> Link:
    evidence = (("domainControllerFunctionality", str(controller.level)), ("vendor", controller.vendor))
    if controller.samba:
        version = _version(controller.vendor)
        if version is not None and version < SAMBA_KEY_TRUST:
            sentence = f"Samba {version[0]}.{version[1]} does not sign users in by key; 4.24 is the first that does."
            return Link("level", State.PROBLEM, sentence, "Upgrade Samba.", Symptom.CONTROLLER, evidence)
    elif controller.level < KEY_TRUST_LEVEL:
        sentence = f"It is older than Windows Server 2016 (level {controller.level}) and cannot sign users in by key."
        return Link("level", State.PROBLEM, sentence, "Let a newer one serve this site.", Symptom.CONTROLLER, evidence)
    if read_only or controller.read_only:
        return Link(
            "level",
            State.CANNOT_TELL,
            "It is a read-only domain controller, which hands a first sign-in by key to a writable one.",
            evidence=evidence,
        )
    return Link(
        "level", State.OK, f"It can sign users in by key (functional level {controller.level}).", evidence=evidence
    )


def _account(facts: ControllerFacts, now: datetime) -> Link:
    if facts.account is None or facts.controller is None:
        return Link(
            "account",
            State.PROBLEM,
            f"{facts.host} does not know the account (yet).",
            "Wait for replication, or look at it.",
        )
    return account_state.link(facts.account, samba=facts.controller.samba, now=now)


def _version(vendor: str) -> tuple[int, int] | None:
    for word in vendor.split():
        parts = word.split("-")[0].split(".")
        if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit():
            return int(parts[0]), int(parts[1])
    return None
