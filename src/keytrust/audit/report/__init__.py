"""The audit's result in the forms that people and machines want. Each form is written as a stream."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import IO

from keytrust.audit.report import html, rows, sarif
from keytrust.audit.report.result import Result


class Format(StrEnum):
    """What ``keytrust audit --format`` offers."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    SARIF = "sarif"
    HTML = "html"
    WHFBTOOLS = "whfbtools"
    WHFBTOOLS_CLOUD = "whfbtools-cloud"


WRITERS: dict[Format, Callable[[Result, IO[str]], None]] = {
    Format.JSON: rows.write_json,
    Format.CSV: rows.write_csv,
    Format.SARIF: sarif.write,
    Format.HTML: html.write,
}

__all__ = ["WRITERS", "Format", "Result"]
