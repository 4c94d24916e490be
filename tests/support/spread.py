"""How tests are spread over the workers of a session, for pytest-xdist with ``--dist loadgroup``."""

from __future__ import annotations

import pytest

_LONG = ("docs", "service", "deploy", "web")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests one worker runs, one after the other, and begin with what takes longest.

    Tests of a file share what they make; those of the pair share the labs that take longest to make.
    """
    pair = {item.path for item in items if "pair_lab" in getattr(item, "fixturenames", ())}
    own = {item.path for item in items if "breakable_lab" in getattr(item, "fixturenames", ())}

    def rank(item: pytest.Item) -> int:
        if "integration" not in item.path.parts:
            return 3
        if item.path in pair:
            return 0
        return 1 if item.path in own or item.path.parent.name in _LONG else 2

    for item in items:
        item.add_marker(
            pytest.mark.xdist_group("pair" if item.path in pair else f"{item.path.parent.name}-{item.path.stem}")
        )
    items.sort(key=rank)
