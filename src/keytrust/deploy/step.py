"""What a set-up step is: changes of the world, each exact, with what must hold before it and how it is taken back.

A step is planned from the world as it is, so that planning it again after it was cut short gives what is left to do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from keytrust.deploy.errors import SetupError
from keytrust.directory.editor import Editor

Json = dict[str, Any]


class State(StrEnum):
    """How the world stands to a change."""

    READY = "ready"
    """It is as it was when the change was planned."""
    DONE = "done"
    """The change is in effect."""
    MOVED = "moved"
    """It is neither: somebody else has changed it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the world stands to a change, and for ``MOVED`` what moved, in one clause."""

    state: State
    moved: str = ""


READY, DONE = Standing(State.READY), Standing(State.DONE)


class World:
    """What changes are made in: the directory as one domain controller shows it, and this machine's files.

    Args:
        directory: Signed in as the set-up identity; None for steps that change only files.
    """

    def __init__(self, directory: Editor | None = None) -> None:
        self._directory = directory

    @property
    def directory(self) -> Editor:
        """Raises SetupError when the step was given none."""
        if self._directory is None:
            raise SetupError("This step changes the directory, and no directory was opened.")
        return self._directory


class Change(ABC):
    """One change that is made whole or not at all. Implementations are frozen dataclasses of plain values."""

    kind: ClassVar[str]
    """By which it is known again in the journal; never changed once released."""
    in_directory: ClassVar[bool] = True
    """Whether it needs a domain controller."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """In words, one line."""

    @abstractmethod
    def exact(self) -> list[str]:
        """In exact form, line by line: LDIF for the directory, entries in SDDL for permissions, names for files."""

    @abstractmethod
    def to_json(self) -> Json:
        """All that ``from_json`` needs. No secrets: it goes to the journal."""

    @classmethod
    @abstractmethod
    def from_json(cls, data: Json) -> Change:
        """The change that ``to_json`` wrote down."""

    def resolved(self, world: World) -> Change:
        """With what only became known through the changes before it filled in, such as a new group's SID."""
        del world
        return self

    @abstractmethod
    def standing(self, world: World) -> Standing:
        """How the world stands to it now."""

    def standing_after(self, world: World, before: Sequence[Change]) -> Standing:
        """How the world will stand to it when the changes ``before`` it are made: for planning."""
        del before
        return self.standing(world)

    @abstractmethod
    def apply(self, world: World) -> str:
        """Make it. Returns what must be known to take it back, such as a new object's GUID; may be empty.

        Raises:
            KeytrustError: it was refused, or (``ChangeLostError``) it is not known whether it was made.
        """

    @abstractmethod
    def inverse(self, note: str) -> Change:
        """What takes it back. ``note`` is what ``apply`` returned; empty when the run died before that was known."""


@dataclass(frozen=True)
class Step:
    """A planned set-up step.

    Attributes:
        name: As the command is called: ``permissions``, ``scp``.
        title: What it is for, one line.
        why: Why these changes and not others, a sentence each.
        changes: What is to be done, in order; empty when everything is as it should be.
        warnings: What to think of before saying yes, a sentence each.
        undoes: The run that it takes back.
    """

    name: str
    title: str
    why: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    undoes: str | None = None
