"""The device registration service connection point: where domain computers read which tenant is theirs.

Source: Microsoft's "Configure hybrid join manually", which names the object and the two keywords that clients read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from keytrust.deploy.changes import AddObject, AddValue, DeleteValue
from keytrust.deploy.errors import SetupError
from keytrust.deploy.step import Change, Step
from keytrust.directory.account import guid_text
from keytrust.directory.editor import Editor

NAME = "62a0ff2e-97b9-4513-943f-0d221bd30080"
"""The object's name, the same in every forest."""
MARK = b"Tells domain computers their tenant. Made by keytrust setup scp."
_CLASS = b"serviceConnectionPoint"
_CONTAINERS = ("Services", "Device Registration Configuration")
_NAME_PREFIX, _ID_PREFIX = "azureADName:", "azureADId:"
_DNS_NAME = re.compile(r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A cloud directory, or a registry in its place.

    Attributes:
        name: A verified domain name of it, in ASCII.
        id: Its id.

    Raises:
        SetupError: the name is no DNS name.
    """

    name: str
    id: UUID

    def __post_init__(self) -> None:
        if not _DNS_NAME.fullmatch(self.name):
            raise SetupError(
                f"{self.name!r} is not a tenant's domain name.",
                not_done="Nothing was changed.",
                remedy="Give a verified domain of the tenant with --tenant-name, such as corp.onmicrosoft.com.",
            )


@dataclass(frozen=True, slots=True)
class Found:
    """What a forest has of it.

    Attributes:
        configuration: DN of the configuration naming context.
        missing: DNs of the containers above it that do not exist, the topmost first.
        guid: Its objectGUID as text; None when there is no such object.
        keywords: Its keywords, all of them.
    """

    configuration: str
    missing: tuple[str, ...]
    guid: str | None
    keywords: tuple[bytes, ...]

    @property
    def dn(self) -> str:
        """The object's name."""
        return f"CN={NAME},{_containers(self.configuration)[-1]}"


def read_scp(editor: Editor, configuration: str) -> Found:
    """What the forest has of it now.

    Raises:
        SetupError: an object of that name is there which is no service connection point.
        DirectoryError: it cannot be read.
    """
    missing = tuple(dn for dn in _containers(configuration) if editor.entry(dn, ["1.1"]) is None)
    found = Found(configuration, missing, None, ())
    there = None if missing else editor.entry(found.dn, ["objectGUID", "objectClass", "keywords"])
    if there is None:
        return found
    dn, entry = there
    if _CLASS.lower() not in {each.lower() for each in entry.get("objectClass", ())}:
        raise SetupError(
            f"{dn} is not a service connection point.",
            not_done="Nothing was changed.",
            remedy="Find out who made it; delete it with another tool, and run this again.",
        )
    return Found(configuration, (), guid_text(entry["objectGUID"][0]), tuple(entry.get("keywords", ())))


def plan_scp(found: Found, tenant: Tenant) -> Step:
    """The step that has it name the tenant; without changes when it does. Pure."""
    title = f"tell the forest's computers their tenant, {tenant.name}"
    wanted = (f"{_NAME_PREFIX}{tenant.name}".encode(), f"{_ID_PREFIX}{tenant.id}".encode())
    changes: list[Change]
    if found.guid is None:
        why = f"There is no {found.dn}."
        containers = [
            AddObject(dn, (("objectClass", (b"container",)), ("description", (MARK,))), f"make the container {dn}")
            for dn in found.missing
        ]
        attributes = (("objectClass", (_CLASS,)), ("keywords", wanted), ("description", (MARK,)))
        what = f"make the service connection point, for {tenant.name}, {tenant.id}"
        changes = [*containers, AddObject(found.dn, attributes, what)]
    else:
        changes = [change for keyword in wanted for change in _corrected(found, keyword)]
        why = f"{found.dn} exists, and {'names another tenant or none' if changes else 'names this tenant'}."
    warnings = (
        "Every domain-joined Windows computer of the forest finds its tenant by this, and registers itself there by"
        " default. For a roll-out in phases tell the first computers their tenant by policy instead.",
    )
    return Step("scp", title, (why,), tuple(changes), warnings if changes else ())


def _corrected(found: Found, wanted: bytes) -> Iterator[Change]:
    """The wrong keyword out before the right one goes in: without one a computer waits, with two it may pick wrong."""
    prefix, _, value = wanted.decode().partition(":")
    same = [each for each in found.keywords if _key(each) == prefix.casefold()]
    for each in same:
        if _text(each).casefold() != wanted.decode().casefold():
            what = f"delete the keyword {_text(each)}"
            yield DeleteValue(found.dn, found.guid or "", "keywords", each, what)
    if not any(_text(each).casefold() == wanted.decode().casefold() for each in same):
        yield AddValue(found.dn, found.guid or "", "keywords", wanted, f"add the keyword {prefix}:{value}")


def _key(keyword: bytes) -> str:
    return _text(keyword).partition(":")[0].casefold()


def _text(keyword: bytes) -> str:
    return keyword.decode("utf-8", "backslashreplace")


def _containers(configuration: str) -> list[str]:
    dns = [configuration]
    for name in _CONTAINERS:
        dns.append(f"CN={name},{dns[-1]}")
    return dns[1:]
