"""A file of this machine written or deleted, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from keytrust.deploy.changes.text import decoded, encoded
from keytrust.deploy.errors import SetupError
from keytrust.deploy.step import DONE, READY, Change, Json, Standing, State, World


@dataclass(frozen=True)
class WriteFile(Change):
    """Writes a file.

    Attributes:
        path: Where.
        content: What; None for a secret that is read back from the journal, which does not keep secrets.
        before: What stands there now; None for nothing.
        mode: Its mode bits.
        secret: Whether the content must not be shown or journaled. Such a file never replaces another.
        what: In words.
        while_same: Another file and its digest: this one is deleted again only while that is unchanged.
    """

    kind = "write-file"
    in_directory = False
    path: Path
    content: bytes | None = field(repr=False)
    before: bytes | None = field(default=None, repr=False)
    mode: int = 0o644
    secret: bool = False
    what: str = ""
    digest: str = ""
    """SHA-256 of the content; given only when ``content`` is not."""
    while_same: tuple[Path, str] | None = None

    def __post_init__(self) -> None:
        if self.content is not None:
            object.__setattr__(self, "digest", _digest(self.content))
        if self.secret and self.before is not None:
            raise SetupError(
                f"{self.path} is there already.",
                not_done="Nothing was changed.",
                remedy="Move it away first, if it is no longer needed.",
            )

    @property
    def summary(self) -> str:
        return self.what or f"{'write' if self.before is None else 'replace'} {self.path}"

    def exact(self) -> list[str]:
        if self.secret or self.content is None:
            return [f"file: {self.path} (mode {self.mode:04o}, secret, not shown)"]
        old = [f"- {line}" for line in _lines(self.before)] if self.before is not None else []
        return [f"file: {self.path} (mode {self.mode:04o})", *old, *(f"+ {line}" for line in _lines(self.content))]

    def to_json(self) -> Json:
        return {
            "path": str(self.path),
            "content": None if self.secret or self.content is None else encoded(self.content),
            "before": None if self.before is None else encoded(self.before),
            "mode": self.mode,
            "secret": self.secret,
            "what": self.what,
            "digest": self.digest,
            "while_same": _bond_to_json(self.while_same),
        }

    @classmethod
    def from_json(cls, data: Json) -> WriteFile:
        content, before = (None if data[name] is None else decoded(data[name]) for name in ("content", "before"))
        path, mode = Path(data["path"]), data["mode"]
        bond = _bond_from_json(data.get("while_same"))
        return cls(path, content, before, mode, data["secret"], data["what"], data["digest"], bond)

    def standing(self, world: World) -> Standing:
        now = _read(self.path)
        if now is not None and _digest(now) == self.digest:
            return DONE
        return READY if now == self.before else Standing(State.MOVED, f"{self.path} has other content now")

    def apply(self, world: World) -> str:
        if self.content is None:
            raise SetupError(
                f"The content of {self.path} was a secret and is not kept.", not_done="It was not written."
            )
        _write(self.path, self.content, self.mode)
        return ""

    def inverse(self, note: str) -> Change:
        if self.before is None:
            return DeleteFile(self.path, self.digest, f"delete {self.path}, which that run wrote", self.while_same)
        return WriteFile(self.path, self.before, self.content, self.mode, what=f"put back {self.path}")


@dataclass(frozen=True)
class DeleteFile(Change):
    """Deletes a file while it is what was written."""

    kind = "delete-file"
    in_directory = False
    path: Path
    digest: str
    what: str = ""
    while_same: tuple[Path, str] | None = None

    @property
    def summary(self) -> str:
        return self.what or f"delete {self.path}"

    def exact(self) -> list[str]:
        return [f"delete file: {self.path}"]

    def to_json(self) -> Json:
        bond = _bond_to_json(self.while_same)
        return {"path": str(self.path), "digest": self.digest, "what": self.what, "while_same": bond}

    @classmethod
    def from_json(cls, data: Json) -> DeleteFile:
        return cls(Path(data["path"]), data["digest"], data["what"], _bond_from_json(data.get("while_same")))

    def standing(self, world: World) -> Standing:
        now = _read(self.path)
        if now is None:
            return DONE
        if self.while_same is not None:
            other, digest = self.while_same
            if _digest(_read(other) or b"") != digest:
                return Standing(State.MOVED, f"{other} is not as that run left it: {self.path} may be in use")
        return READY if _digest(now) == self.digest else Standing(State.MOVED, f"{self.path} has other content now")

    def apply(self, world: World) -> str:
        try:
            self.path.unlink(missing_ok=True)
            sync(self.path.parent)
        except OSError as error:
            raise fault(self.path, "deleted", error) from error
        return ""

    def inverse(self, note: str) -> Change:
        raise SetupError(
            f"{self.path} was deleted and is not kept.", not_done="It was not put back.", remedy="Run the step again."
        )


def _bond_to_json(bond: tuple[Path, str] | None) -> list[str] | None:
    return None if bond is None else [str(bond[0]), bond[1]]


def _bond_from_json(data: list[str] | None) -> tuple[Path, str] | None:
    return None if data is None else (Path(data[0]), data[1])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _lines(content: bytes | None) -> list[str]:
    try:
        return (content or b"").decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return [f"{len(content or b'')} bytes, SHA-256 {_digest(content or b'')}"]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise fault(path, "read", error) from error


def _write(path: Path, content: bytes, mode: int) -> None:
    """Through a file of another name: a reader sees the old content or the new, also after a power failure."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        draft.rename(path)
        sync(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise fault(path, "written", error) from error


def sync(folder: Path) -> None:
    """Have the names in a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fault(path: Path, what: str, error: OSError) -> SetupError:
    """What to tell of a file or folder that could not be ``what``."""
    return SetupError(
        f"{path} cannot be {what}: {error.strerror or error}.",
        not_done="This was not changed, nor anything after it.",
        remedy="Check the folder and its owner and mode.",
    )
