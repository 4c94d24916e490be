"""The kinds of changes that set-up steps are made of, by the names they have in the journal."""

from __future__ import annotations

from keytrust.deploy.changes.files import DeleteFile, WriteFile
from keytrust.deploy.changes.folders import DeleteFolder, MakeFolder
from keytrust.deploy.changes.objects import AddObject, DeleteObject
from keytrust.deploy.changes.permissions import EditDacl, Grant
from keytrust.deploy.changes.values import AddValue, DeleteValue
from keytrust.deploy.errors import SetupError
from keytrust.deploy.step import Change, Json

_KINDS: dict[str, type[Change]] = {
    kind.kind: kind
    for kind in (
        AddObject,
        DeleteObject,
        AddValue,
        DeleteValue,
        EditDacl,
        WriteFile,
        DeleteFile,
        MakeFolder,
        DeleteFolder,
    )
}

__all__ = [
    "AddObject",
    "AddValue",
    "DeleteFile",
    "DeleteFolder",
    "DeleteObject",
    "DeleteValue",
    "EditDacl",
    "Grant",
    "MakeFolder",
    "WriteFile",
    "from_json",
    "to_json",
]


def to_json(change: Change) -> Json:
    """A change with its kind."""
    return {"kind": change.kind, **change.to_json()}


def from_json(data: Json) -> Change:
    """The change that ``to_json`` wrote down.

    Raises:
        SetupError: a newer keytrust wrote it.
    """
    kind = _KINDS.get(data["kind"])
    if kind is None:
        raise SetupError(
            f"The journal has a change of the kind {data['kind']}, which this keytrust does not know.",
            not_done="Nothing was changed.",
            remedy="Use the newer version that made it.",
        )
    return kind.from_json({name: value for name, value in data.items() if name != "kind"})
