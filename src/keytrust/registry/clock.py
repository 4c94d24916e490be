"""Time as the registry keeps it: microseconds since 1970 UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

Clock = Callable[[], int]
"""Returns microseconds since 1970 UTC."""

_EPOCH = datetime(1970, 1, 1)  # without a zone, so that it prints without an offset


def now() -> int:
    """The host's clock."""
    return time.time_ns() // 1000


def iso(moment: int) -> str:
    """Edm.DateTimeOffset with microseconds."""
    return (_EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds") + "Z"
