"""What a benchmark reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One measured figure.

    Attributes:
        name: ``<benchmark>.<figure>``.
        value: What was measured.
        unit: Its unit.
        target: What it has to reach; None if it is only shown.
        met: Whether it does; None without a target.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    met: bool | None = None

    @classmethod
    def at_least(cls, name: str, value: float, unit: str, target: float) -> BenchResult:
        """A figure that is good when it is high."""
        return cls(name, value, unit, target, value >= target)

    @classmethod
    def at_most(cls, name: str, value: float, unit: str, target: float) -> BenchResult:
        """A figure that is good when it is low."""
        return cls(name, value, unit, target, value <= target)
