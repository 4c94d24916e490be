"""Entries of an object's DACL added and removed, all others left as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from keytrust.deploy.changes.text import decoded, encoded
from keytrust.deploy.errors import SetupError
from keytrust.deploy.step import DONE, READY, Change, Json, Standing, State, World
from keytrust.directory.account import sid_text
from keytrust.directory.security.ace import ace_text, allow_property


@dataclass(frozen=True)
class Grant:
    """Read and write of one attribute, for a group that may not exist yet.

    Attributes:
        trustee: DN of the account or group.
        attribute: schemaIDGUID of the attribute.
        flags: Inheritance.
        on: schemaIDGUID of the class of objects to which it is inherited; None for all.
    """

    trustee: str
    attribute: UUID
    flags: int
    on: UUID | None = None

    def ace(self, sid: str) -> bytes:
        """The entry, once the trustee's SID is known."""
        return allow_property(sid, self.attribute, flags=self.flags, on=self.on)


@dataclass(frozen=True)
class EditDacl(Change):
    """Adds and removes entries of one object.

    Attributes:
        dn: The object's name when it was planned.
        guid: Its objectGUID as text.
        add: Entries to add that are not there.
        remove: Entries to remove that are there.
        grants: Entries to add whose trustee an earlier change makes; turned into ``add`` when it is there.
        before: Digest of the object's own entries when it was planned; empty when that does not matter.
        what: In words.
    """

    kind = "edit-dacl"
    dn: str
    guid: str
    add: tuple[bytes, ...] = ()
    remove: tuple[bytes, ...] = ()
    grants: tuple[Grant, ...] = ()
    before: str = ""
    what: str = ""

    @property
    def summary(self) -> str:
        added, removed = len(self.add) + len(self.grants), len(self.remove)
        return self.what or f"permissions of {self.dn}: {added} entries added, {removed} removed"

    def exact(self) -> list[str]:
        pending = [
            ace_text(grant.ace("S-1-0-0")).replace("S-1-0-0", f"SID of {grant.trustee}") for grant in self.grants
        ]
        return [
            f"dn: {self.dn}",
            *(f"+ {ace_text(ace)}" for ace in self.add),
            *(f"+ {text}" for text in pending),
            *(f"- {ace_text(ace)}" for ace in self.remove),
        ]

    def to_json(self) -> Json:
        if self.grants:
            raise SetupError("Permissions were to be journaled before it was known for whom they are.")
        return {
            "dn": self.dn,
            "guid": self.guid,
            "add": [encoded(ace) for ace in self.add],
            "remove": [encoded(ace) for ace in self.remove],
            "before": self.before,
            "what": self.what,
        }

    @classmethod
    def from_json(cls, data: Json) -> EditDacl:
        add, remove = (tuple(decoded(ace) for ace in data[name]) for name in ("add", "remove"))
        return cls(data["dn"], data["guid"], add, remove, (), data["before"], data["what"])

    @property
    def target(self) -> str:
        return f"<GUID={self.guid}>"

    def resolved(self, world: World) -> EditDacl:
        if not self.grants:
            return self
        made = []
        for grant in self.grants:
            found = world.directory.entry(grant.trustee, ["objectSid"])
            if found is None or not found[1].get("objectSid"):
                raise SetupError(f"{grant.trustee} is not there to be given permissions.")
            made.append(grant.ace(sid_text(found[1]["objectSid"][0])))
        return replace(self, add=(*self.add, *made), grants=())

    def standing(self, world: World) -> Standing:
        if world.directory.entry(self.target, ["1.1"]) is None:
            # What an object that is gone should no longer allow, it does not.
            return Standing(State.MOVED, f"{self.dn} no longer exists") if self.add else DONE
        dacl = world.directory.dacl(self.target)
        own = set(dacl.explicit)
        if own >= set(self.add) and not own & set(self.remove):
            return DONE
        if self.before and dacl.digest != self.before:
            return Standing(State.MOVED, f"the permissions of {self.dn} were changed since this was planned")
        return READY

    def apply(self, world: World) -> str:
        world.directory.edit_dacl(self.target, lambda dacl: dacl.removing(self.remove).adding(self.add))
        return ""

    def inverse(self, note: str) -> Change:
        return EditDacl(
            self.dn, self.guid, add=self.remove, remove=self.add, what=f"take back: {self.what}" * bool(self.what)
        )
