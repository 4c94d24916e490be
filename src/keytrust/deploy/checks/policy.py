"""What group policies tell devices about Windows Hello for Business. Pure.

Requirements: the guide's policy page; value names: Passport.admx. Which of several policies wins on a device
is not worked out here: each is judged by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.policy_facts import GroupPolicy
from keytrust.deploy.checks.world import Facts

ENABLED = "enabled"
HARDWARE = "requiresecuritydevice"
CERTIFICATE = "usecertificateforonpremauth"
CLOUD_TRUST = "usecloudtrustforonpremauth"
NOT_ASKED = "disablepostlogonprovisioning"
"""*Use Windows Hello for Business*, *Use a hardware security device*, *Use certificate for on-premises authentication*,
*Use cloud trust for on-premises authentication*, *Do not start Windows Hello provisioning after sign-in*."""

_AUTOMATIC = 7
"""AEPolicy as the setting *Auto-Enrollment* writes it with renewal and update by templates: three bits."""
_NOT_FROM_HERE = "device management (Intune) may do so, which cannot be seen from here"


def policy(facts: Facts) -> Iterator[Observation]:
    """Whether a policy turns it on, for keys in hardware, and none asks for certificates instead."""
    found = facts.policies
    if isinstance(found, Unread):
        yield cannot_tell(found)
        return
    if found.hidden:
        yield cannot_tell(
            f"{found.hidden} linked group policies do not exist, or may not be read by the connector account"
        )
    hardware = any(each.get(HARDWARE) == 1 for each in _halves(found.policies))
    for each in found.policies:
        yield from _judge(each, hardware=hardware)
    if not any(each.get(ENABLED) == 1 for each in _halves(found.policies)):
        yield cannot_tell(f"no group policy that can be read turns it on; {_NOT_FROM_HERE}")


def enrolment(facts: Facts) -> Iterator[Observation]:
    """Whether Windows domain controllers are told to enrol their certificates by themselves."""
    found, pki = facts.policies, facts.pki
    if isinstance(pki, Unread):
        yield cannot_tell(pki)
        return
    if isinstance(found, Unread):
        yield cannot_tell(found)
        return
    if not pki.services:
        yield passed("no authority of Active Directory Certificate Services is published to enrol from")
        return
    if facts.controllers and all(controller.samba for controller in facts.controllers):
        yield passed("Samba does not enrol")
        return
    here = [each for each in found.policies if any(map(_reaches_controllers, each.linked))]
    telling = [each for each in here if each.enrolment is not None]
    for each in telling:
        on = each.enrolment == _AUTOMATIC
        seen = f"is set to {each.enrolment} ({_where(each)})"
        yield passed(f"turns it on ({_where(each)})", each.name) if on else warning(seen, each.name)
    for each in here:
        if isinstance(each.settings, Unread):
            yield cannot_tell(each.settings, each.name)
    if not telling:
        say = cannot_tell if found.hidden else warning
        yield say("no group policy that can be read, of the domain or of Domain Controllers, turns it on")


def _reaches_controllers(dn: str) -> bool:
    return dn.lower().startswith(("dc=", "ou=domain controllers,"))


def _halves(policies: tuple[GroupPolicy, ...]) -> Iterator[Mapping[str, int]]:
    for each in policies:
        if not isinstance(each.settings, Unread):
            yield from each.settings.values()


def _judge(each: GroupPolicy, *, hardware: bool) -> Iterator[Observation]:
    if isinstance(each.settings, Unread):
        yield cannot_tell(each.settings, each.name)
        return
    for half, values in each.settings.items():
        if values.get(CERTIFICATE) == 1:
            yield failed(f"wants certificates of {half} (certificate trust): keys are then not used", each.name)
        if values.get(CLOUD_TRUST) == 1:
            yield warning(f"wants cloud Kerberos trust of {half}: keys are then not used", each.name)
        if values.get(NOT_ASKED) == 1:
            yield warning(f"keeps {half} from being asked to make a key after sign-in", each.name)
        if values.get(ENABLED) == 0:
            yield warning(f"turns it off for {half} ({_where(each)})", each.name)
        elif values.get(ENABLED) == 1 and not hardware:
            yield warning(f"turns it on for {half} without a hardware security device being required", each.name)
        elif values.get(ENABLED) == 1:
            yield passed(f"turns it on for {half} ({_where(each)}), with a hardware security device", each.name)


def _where(each: GroupPolicy) -> str:
    rest = len(each.linked) - 1
    return f"linked to {each.linked[0]}" + (f" and {rest} more" if rest else "")


CHECKS = (
    Check(
        "dc-autoenrolment",
        Section.POLICY,
        "Windows domain controllers enrol and renew their certificates by themselves",
        "A certificate that nobody renews ends, and with it every sign-in by key.",
        "In a group policy of Domain Controllers, Windows Settings, Security Settings, Public Key Policies: enable "
        "Certificate Services Client - Auto-Enrollment, with renewal and update",
        enrolment,
    ),
    Check(
        "policy",
        Section.POLICY,
        "A group policy turns on Windows Hello for Business, with keys in hardware and without certificates",
        "Devices make keys only where policy lets them. Where certificates are asked for, keys are not used. What "
        "device management (Intune) says cannot be seen from here: look there, then accept this.",
        "Group Policy Management, Administrative Templates, Windows Components, Windows Hello for Business: enable Use "
        "Windows Hello for Business and Use a hardware security device, and not Use certificate for on-premises "
        "authentication; gpresult /h says what a device was told",
        policy,
    ),
)
