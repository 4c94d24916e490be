"""The domain's group policies: where each is linked, and what it says of Windows Hello for Business."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import ldap

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.policy_facts import COMPUTERS, USERS, GroupPolicy, PolicyFacts
from keytrust.deploy.reading.registry_pol import numbers
from keytrust.deploy.reading.rows import Attributes, integer, rows, text
from keytrust.deploy.reading.sysvol import read_files
from keytrust.directory.controller import DomainController
from keytrust.directory.session import Session
from keytrust.directory.settings import DirectorySettings

ENROLMENT = r"Software\Policies\Microsoft\Cryptography\AutoEnrollment"
PASSPORT = r"Software\Policies\Microsoft\PassportForWork"
_REGISTRY = "{35378eac-683f-11d2-a89a-00c04fbbcfa2}"
"""The client-side extension that applies Registry.pol ([MS-GPREG] 1.9). Without it in its list a policy sets none."""
_LINK = re.compile(r"\[LDAP://([^;\]]+);(\d+)\]", re.IGNORECASE)
_LINK_DISABLED = 1
_PLACE = re.compile(r"\\\\[^\\]+\\sysvol\\(.+)", re.IGNORECASE)
_HALVES = ((COMPUTERS, "gpcmachineextensionnames", "Machine", 2), (USERS, "gpcuserextensionnames", "User", 1))
"""Name, attribute with its extensions, folder, and the bit of ``flags`` that switches it off ([MS-GPOL] 2.2.4)."""


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    linked: tuple[str, ...]
    files: Mapping[str, str]


def read_policies(
    session: Session, controller: DomainController, settings: DirectorySettings, seconds: float
) -> PolicyFacts:
    """Read all group policies that are linked and set registry values.

    Args:
        session: To a domain controller of the domain.
        controller: That domain controller.
        settings: Whom to sign in as at its file server.
        seconds: How long that may take.

    Raises:
        DirectoryError: the directory did not answer.
    """
    links = _links(session, controller)
    found: list[_Found] = []
    for dn, entry in rows(
        session,
        f"CN=Policies,CN=System,{controller.domain}",
        ldap.SCOPE_ONELEVEL,
        "(objectClass=groupPolicyContainer)",
        ["displayName", "cn", "gPCFileSysPath", "flags", "versionNumber", *(half[1] for half in _HALVES)],
    ):
        linked = links.pop(dn.lower(), ())
        files = _files(entry)
        if linked and files:
            found.append(_Found(text(entry, "displayname") or text(entry, "cn"), tuple(linked), files))
    paths = [path for each in found for path in each.files.values()]
    contents = read_files(settings, controller.host, paths, seconds)
    return PolicyFacts(
        tuple(_policy(each, contents) for each in found),
        # What is linked and not there may be of another domain, or deleted: only this domain's own count.
        sum(dn.endswith(f",cn=policies,cn=system,{controller.domain.lower()}") for dn in links),
    )


def _links(session: Session, controller: DomainController) -> dict[str, list[str]]:
    """What each policy is linked to, by its DN in lower case."""
    links: dict[str, list[str]] = defaultdict(list)
    for base in (controller.domain, f"CN=Sites,{controller.configuration}"):
        for dn, entry in rows(session, base, ldap.SCOPE_SUBTREE, "(gPLink=*)", ["gPLink"]):
            for policy, options in _LINK.findall(text(entry, "gplink")):
                if not int(options) & _LINK_DISABLED:
                    links[policy.lower()].append(dn)
    return links


def _files(entry: Attributes) -> dict[str, str]:
    """The Registry.pol of each half that is in force, below SYSVOL."""
    flags, version = integer(entry, "flags") or 0, integer(entry, "versionnumber") or 0
    place = _PLACE.fullmatch(text(entry, "gpcfilesyspath"))
    edited = {COMPUTERS: version & 0xFFFF, USERS: version >> 16 & 0xFFFF}  # [MS-GPOL] 2.2.4: two counters in one
    return {
        half: f"{place[1] if place else text(entry, 'gpcfilesyspath') + '?'}\\{folder}\\Registry.pol"
        for half, extensions, folder, off in _HALVES
        if not flags & off and edited[half] and _REGISTRY in text(entry, extensions).lower()
    }


def _policy(found: _Found, contents: Mapping[str, bytes | Unread]) -> GroupPolicy:
    settings: dict[str, Mapping[str, int]] = {}
    enrolment = None
    for half, path in found.files.items():
        content = contents[path]
        if isinstance(content, Unread):
            return GroupPolicy(found.name, found.linked, content)
        try:
            settings[half] = numbers(content, PASSPORT)
            if half == COMPUTERS:
                enrolment = numbers(content, ENROLMENT).get("aepolicy")
        except ValueError as error:
            return GroupPolicy(found.name, found.linked, Unread(f"{path} is not legible: {error}"))
    return GroupPolicy(found.name, found.linked, settings, enrolment)
