"""Planning to take a set-up run back: each of its changes, last first, as far as the world is still as it left it."""

from __future__ import annotations

from collections.abc import Iterable

from keytrust.deploy.errors import SetupError
from keytrust.deploy.journal import Outcome, SetupEntry, SetupRun
from keytrust.deploy.step import Change, State, Step, World


def plan_undo(run: SetupRun, entries: Iterable[SetupEntry], world: World) -> tuple[Step, tuple[str, ...]]:
    """The step that takes ``run`` back, and one sentence for each change that others have changed again since.

    A change whose outcome nobody knows is taken back if it is seen in effect.

    Raises:
        SetupError: the run is itself an undo.
    """
    if run.undoes:
        raise SetupError(
            f"Run {run.id} took back run {run.undoes}; an undo is not undone.",
            not_done="Nothing was changed.",
            remedy=f"Run keytrust setup {run.step} again.",
        )
    changes: list[Change] = []
    conflicts: list[str] = []
    for entry in reversed(list(entries)):
        if entry.outcome is Outcome.FAILED:
            continue
        note = entry.note if entry.outcome is Outcome.DONE else ""
        inverse = entry.change.inverse(note)
        standing = inverse.standing_after(world, changes)
        if standing.state is State.READY:
            changes.append(inverse)
        elif standing.state is State.MOVED:
            conflicts.append(f"{entry.summary}: {standing.moved}, so this is not taken back.")
    step = Step(run.step, f"take back run {run.id}", changes=tuple(changes), undoes=run.id)
    return step, tuple(conflicts)
