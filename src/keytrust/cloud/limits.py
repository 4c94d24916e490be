"""Bounds on what a service may make us do."""

from __future__ import annotations

from dataclasses import dataclass

from keytrust.cloud.budget import UNITS


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a server may make us hold, fetch and wait for.

    Attributes:
        page_bytes: One answer, decompressed.
        page_seconds: The time for one answer to arrive, however slowly it drips.
        silence: The time without a byte after which a connection counts as dead.
        pages: The number of pages of one read.
        idle_pages: Pages in a row that bring no new user (empty and replayed pages are legal, endless ones are not).
        total_bytes: All pages of one read, which are kept in a temporary file.
        units: Resource units that may be used in 10 seconds.
    """

    page_bytes: int = 64 * 2**20
    page_seconds: float = 300.0
    silence: float = 30.0
    pages: int = 100_000
    idle_pages: int = 100
    total_bytes: int = 32 * 2**30
    units: float = UNITS
