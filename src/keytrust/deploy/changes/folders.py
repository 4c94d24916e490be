"""A folder of this machine, made and removed while it is empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keytrust.deploy.changes.files import DeleteFile, fault, sync
from keytrust.deploy.errors import SetupError
from keytrust.deploy.step import DONE, READY, Change, Json, Standing, State, World


@dataclass(frozen=True)
class MakeFolder(Change):
    """Makes a folder where there is none, and those above it that are missing."""

    kind = "make-folder"
    in_directory = False
    path: Path
    mode: int = 0o755

    @property
    def summary(self) -> str:
        return f"make the folder {self.path}"

    def exact(self) -> list[str]:
        return [f"folder: {self.path} (mode {self.mode:04o})"]

    def to_json(self) -> Json:
        return {"path": str(self.path), "mode": self.mode}

    @classmethod
    def from_json(cls, data: Json) -> MakeFolder:
        return cls(Path(data["path"]), data["mode"])

    def standing(self, world: World) -> Standing:
        if self.path.is_dir():
            return DONE
        there = self.path.exists() or self.path.is_symlink()
        return Standing(State.MOVED, f"{self.path} is there and is no folder") if there else READY

    def apply(self, world: World) -> str:
        try:
            self.path.mkdir(mode=0o700, parents=True)
            self.path.chmod(self.mode)
            sync(self.path.parent)
        except OSError as error:
            raise fault(self.path, "made", error) from error
        return ""

    def inverse(self, note: str) -> Change:
        return DeleteFolder(self.path)


@dataclass(frozen=True)
class DeleteFolder(Change):
    """Deletes an empty folder."""

    kind = "delete-folder"
    in_directory = False
    path: Path

    @property
    def summary(self) -> str:
        return f"delete the folder {self.path}, which that run made"

    def exact(self) -> list[str]:
        return [f"delete folder: {self.path}"]

    def to_json(self) -> Json:
        return {"path": str(self.path)}

    @classmethod
    def from_json(cls, data: Json) -> DeleteFolder:
        return cls(Path(data["path"]))

    def standing(self, world: World) -> Standing:
        return self.standing_after(world, ())

    def standing_after(self, world: World, before: Sequence[Change]) -> Standing:
        if not self.path.is_dir():
            return DONE
        going = {change.path for change in before if isinstance(change, (DeleteFile, DeleteFolder))}
        try:
            left = set(self.path.iterdir()) - going
        except OSError as error:
            raise fault(self.path, "read", error) from error
        return Standing(State.MOVED, f"{self.path} has files that the run did not write") if left else READY

    def apply(self, world: World) -> str:
        try:
            self.path.rmdir()
            sync(self.path.parent)
        except OSError as error:
            raise fault(self.path, "deleted", error) from error
        return ""

    def inverse(self, note: str) -> Change:
        raise SetupError(f"{self.path} was deleted.", not_done="It was not made again.", remedy="Run the step again.")
