"""The traces of a value by which different logs are matched. Pure."""

from __future__ import annotations

import hashlib


def value_digest(value: bytes) -> str:
    """SHA-256 of the attribute value exactly as it travels, hexadecimal: the ``AttributeValue`` of event 5136."""
    return hashlib.sha256(value).hexdigest()
