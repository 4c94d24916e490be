"""The log of services: JSON lines on standard error."""

from __future__ import annotations

import sys

import structlog


def logger() -> structlog.typing.FilteringBoundLogger:
    """A logger of JSON lines to standard error, whatever else the process logs."""
    wrapped: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return wrapped
