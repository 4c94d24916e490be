"""How long to wait for answers."""

from __future__ import annotations

from dataclasses import dataclass

ANSWER_SECONDS = 4.0
"""How long one answer may take, unless the operator says otherwise."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait.

    Attributes:
        answer: Seconds for one answer.
        total: Seconds for everything that is asked after the directory has named its domain controllers; more than
            ``answer``.
    """

    answer: float = ANSWER_SECONDS
    total: float = 3 * ANSWER_SECONDS
