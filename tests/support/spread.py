"""How tests are spread over the workers of a session (pytest-xdist): file by file, what takes longest first."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

_LONG = ("docs", "service", "deploy", "web")


class _Spread(LoadFileScheduling):  # type: ignore[misc] # it has no types
    """Tests of a file share what they make; those of the pair share the labs that take longest to make."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "pair" if _needs(file, "pair_lab") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """The scheduler of this session."""
    return _Spread(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""

    def rank(item: pytest.Item) -> int:
        file = str(item.path)
        if "integration" not in item.path.parts:
            return 3
        if _needs(file, "pair_lab"):
            return 0
        return 1 if _needs(file, "breakable_lab") or item.path.parent.name in _LONG else 2

    items.sort(key=rank)


@cache
def _needs(file: str, fixture: str) -> bool:
    return fixture in Path(file).read_text(encoding="utf-8")
