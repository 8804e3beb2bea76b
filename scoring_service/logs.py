"""The service's log: a line of JSON for each event, on standard error."""

from __future__ import annotations

import sys

import structlog


def configure_logs() -> None:
    """Write events as JSON. Tracebacks come without the values of variables: those may be somebody's data."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
