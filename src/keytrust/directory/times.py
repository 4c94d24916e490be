"""Times as directories write them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_TIME = re.compile(rb"(\d{14})(\.\d*)?Z?")


def generalized_time(value: bytes) -> datetime | None:
    """A GeneralizedTime as Active Directory writes it (``20260102030405.0Z``); None for anything else."""
    found = _TIME.fullmatch(value)
    try:
        return datetime.strptime(found[1].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC) if found else None
    except ValueError:  # digits that are no date
        return None
