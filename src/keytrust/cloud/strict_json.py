"""JSON from a server or a file nobody vouches for, decoded so that every defect is one ``ValueError``."""

from __future__ import annotations

import json


def loads(data: bytes | str) -> object:
    """Decode one JSON text.

    A name that occurs twice in one object is refused: ``{"deviceKeys": [...], "deviceKeys": []}`` would otherwise
    silently become the empty list.

    Raises:
        ValueError: it is not JSON, not Unicode, nested too deeply, or has a repeated name.
    """
    try:
        return json.loads(data, object_pairs_hook=_unique_names)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object names a property twice")
    return result
