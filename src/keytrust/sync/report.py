"""What became of a run. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from keytrust.sync.journal import Outcome
from keytrust.sync.model import Action, Change


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one change.

    Attributes:
        change: The change.
        outcome: What became of it.
        detail: Why, or how.
        server: The domain controller at which it was confirmed; empty when it was not.
    """

    change: Change
    outcome: Outcome
    detail: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of a run.

    Attributes:
        run: Its id, for ``keytrust undo``.
        results: One for each change, in the order of the plan.
        stopped_because: Why the run ended early; empty when every change was attempted.
        notes: What else happened on the way, such as going on at another domain controller.
    """

    run: str
    results: tuple[Result, ...]
    stopped_because: str = ""
    notes: tuple[str, ...] = ()

    def count(self, outcome: Outcome, action: Action | None = None) -> int:
        return sum(r.outcome is outcome and action in (None, r.change.action) for r in self.results)

    @property
    def complete(self) -> bool:
        """Whether every change was carried out and confirmed."""
        return not self.stopped_because and all(r.outcome is Outcome.CONFIRMED for r in self.results)
