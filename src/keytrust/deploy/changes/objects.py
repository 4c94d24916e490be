"""A directory object made, and unmade while it is still what was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ldap

from keytrust.deploy.changes.text import decoded, encoded, ldif
from keytrust.deploy.changes.values import DeleteValue
from keytrust.deploy.errors import SetupError
from keytrust.deploy.step import DONE, READY, Change, Json, Standing, State, World
from keytrust.directory.account import Entry, guid_text

Attributes = tuple[tuple[str, tuple[bytes, ...]], ...]
_IDENTITY = ("objectGUID", "objectClass", "sAMAccountName", "member", "description")
_KEYWORDS = "keywords"


@dataclass(frozen=True)
class AddObject(Change):
    """Makes an object where there is none.

    Attributes:
        dn: Its name.
        attributes: Its attributes, objectClass among them. ``description`` is by what it is known again if the run
            dies before its GUID is noted: make it one that nobody else would write.
        what: In words.
    """

    kind = "add-object"
    dn: str
    attributes: Attributes
    what: str = ""

    @property
    def summary(self) -> str:
        return self.what or f"make {self.dn}"

    def exact(self) -> list[str]:
        lines = [ldif(name, value) for name, values in self.attributes for value in values]
        return [f"dn: {self.dn}", "changetype: add", *lines]

    def to_json(self) -> Json:
        return {"dn": self.dn, "attributes": _encoded(self.attributes), "what": self.what}

    @classmethod
    def from_json(cls, data: Json) -> AddObject:
        return cls(data["dn"], _decoded(data["attributes"]), data["what"])

    def standing(self, world: World) -> Standing:
        found = world.directory.entry(self.dn, _IDENTITY)
        if found is None:
            return READY
        return DONE if _same(found[1], self.attributes) else Standing(State.MOVED, f"there is another {self.dn} now")

    def apply(self, world: World) -> str:
        return world.directory.add_object(self.dn, dict(self.attributes))

    def inverse(self, note: str) -> Change:
        return DeleteObject(self.dn, note, self.attributes, f"delete {self.dn}, which that run made")


@dataclass(frozen=True)
class DeleteObject(Change):
    """Deletes an object that a run made, while nobody has come to use it otherwise.

    Attributes:
        dn: The name it was given.
        guid: Its objectGUID as text; empty when that was never noted, then it is known by ``attributes``.
        attributes: As it was made.
        what: In words.
    """

    kind = "delete-object"
    dn: str
    guid: str
    attributes: Attributes
    what: str = ""

    @property
    def summary(self) -> str:
        return self.what or f"delete {self.dn}"

    def exact(self) -> list[str]:
        return [f"dn: {self.dn}", "changetype: delete"]

    def to_json(self) -> Json:
        return {"dn": self.dn, "guid": self.guid, "attributes": _encoded(self.attributes), "what": self.what}

    @classmethod
    def from_json(cls, data: Json) -> DeleteObject:
        return cls(data["dn"], data["guid"], _decoded(data["attributes"]), data["what"])

    @property
    def target(self) -> str:
        return f"<GUID={self.guid}>" if self.guid else self.dn

    def standing(self, world: World) -> Standing:
        return self.standing_after(world, ())

    def standing_after(self, world: World, before: Sequence[Change]) -> Standing:
        found = world.directory.entry(self.target, (*_IDENTITY, _KEYWORDS))
        if found is None:
            return DONE
        dn, entry = found
        if not self.guid and not _same(entry, self.attributes):
            return DONE  # what that run was about to make was never made; this is somebody else's
        leaving = sum(isinstance(change, DeleteValue) and self._is_of(change) for change in before)
        members = len(entry.get("member", ()))
        if members > leaving or any(name.lower().startswith("member;") for name in entry):
            return Standing(State.MOVED, f"{dn} has members that the run did not put there")
        made = {value for name, values in self.attributes if name == _KEYWORDS for value in values}
        if set(entry.get(_KEYWORDS, ())) - made:
            return Standing(State.MOVED, f"{dn} has keywords that the run did not put there")
        going = {change.target for change in before if isinstance(change, DeleteObject)}
        below = world.directory.session.search(dn, ldap.SCOPE_ONELEVEL, "(objectClass=*)", ["objectGUID"])
        if any(not {child, f"<GUID={guid_text(each['objectGUID'][0])}>"} & going for child, each in below):
            return Standing(State.MOVED, f"there are objects below {dn}")
        return READY

    def _is_of(self, change: DeleteValue) -> bool:
        here = change.guid == self.guid if change.guid and self.guid else change.dn == self.dn
        return here and change.attribute == "member"

    def apply(self, world: World) -> str:
        world.directory.delete_object(self.target)
        return ""

    def inverse(self, note: str) -> Change:
        raise SetupError(
            f"{self.dn} was deleted, and one made anew would not be the same (another SID).",
            not_done="Nothing was changed.",
            remedy="Run the set-up step again.",
        )


def _same(entry: Entry, made: Attributes) -> bool:
    """Whether this is the object that was made with these attributes."""
    return all(set(entry.get(name, ())) >= set(values) for name, values in made if name in _IDENTITY)


def _encoded(attributes: Attributes) -> Json:
    return {name: [encoded(value) for value in values] for name, values in attributes}


def _decoded(data: Json) -> Attributes:
    return tuple((name, tuple(decoded(value) for value in values)) for name, values in data.items())
