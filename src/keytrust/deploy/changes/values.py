"""One value of one attribute, added or deleted: a membership, a keyword."""

from __future__ import annotations

from dataclasses import dataclass

import ldap

from keytrust.deploy.changes.text import decoded, encoded, ldif
from keytrust.deploy.step import DONE, READY, Change, Json, Standing, State, World


@dataclass(frozen=True)
class _Value(Change):
    """A value.

    Attributes:
        dn: The object's name when it was planned.
        guid: Its objectGUID as text; empty for an object that an earlier change of the step makes.
        attribute: Name of the attribute.
        value: The value.
        what: In words, when that says more than attribute and value.
    """

    dn: str
    guid: str
    attribute: str
    value: bytes
    what: str = ""

    @property
    def target(self) -> str:
        return f"<GUID={self.guid}>" if self.guid else self.dn

    def to_json(self) -> Json:
        return {
            "dn": self.dn,
            "guid": self.guid,
            "attribute": self.attribute,
            "value": encoded(self.value),
            "what": self.what,
        }

    @classmethod
    def from_json(cls, data: Json) -> _Value:
        return cls(data["dn"], data["guid"], data["attribute"], decoded(data["value"]), data["what"])

    def _there(self, world: World) -> bool | None:
        """Whether the object has the value; None when there is no such object."""
        if world.directory.has_value(self.target, self.attribute, self.value):
            return True
        return None if world.directory.entry(self.target, ["1.1"]) is None else False


class AddValue(_Value):
    """Adds a value that is not there."""

    kind = "add-value"

    @property
    def summary(self) -> str:
        return self.what or f"add {ldif(self.attribute, self.value)} to {self.dn}"

    def exact(self) -> list[str]:
        return [f"dn: {self.dn}", f"add: {self.attribute}", ldif(self.attribute, self.value)]

    def standing(self, world: World) -> Standing:
        there = self._there(world)
        if there is None:
            return Standing(State.MOVED, f"{self.dn} no longer exists")
        return DONE if there else READY

    def apply(self, world: World) -> str:
        world.directory.modify(self.target, [(ldap.MOD_ADD, self.attribute, [self.value])])
        return ""

    def inverse(self, note: str) -> Change:
        return DeleteValue(self.dn, self.guid, self.attribute, self.value, f"take back: {self.what}" * bool(self.what))


class DeleteValue(_Value):
    """Deletes a value by its exact string."""

    kind = "delete-value"

    @property
    def summary(self) -> str:
        return self.what or f"delete {ldif(self.attribute, self.value)} from {self.dn}"

    def exact(self) -> list[str]:
        return [f"dn: {self.dn}", f"delete: {self.attribute}", ldif(self.attribute, self.value)]

    def standing(self, world: World) -> Standing:
        return READY if self._there(world) else DONE

    def apply(self, world: World) -> str:
        world.directory.modify(self.target, [(ldap.MOD_DELETE, self.attribute, [self.value])])
        return ""

    def inverse(self, note: str) -> Change:
        return AddValue(self.dn, self.guid, self.attribute, self.value, f"put back: {self.what}" * bool(self.what))
