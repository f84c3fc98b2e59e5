"""Structured logging with an allow-list of keys: JSON on a server, readable on a terminal."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

#: Keys that may be logged: internal ids, counts, timings and codes. Anything else is dropped.
ALLOWED_KEYS = frozenset(
    {
        "event", "level", "logger", "timestamp",
        "study_id", "version", "stage", "step", "peer", "source", "status", "code", "error", "model",
        "elapsed_ms", "count", "bytes", "port", "host", "url", "path", "attempt", "destination", "outcome",
        "reason", "action", "ae_title", "state", "name", "process_id", "device", "signal", "rss_mb",
    }
)  # fmt: skip


def _allow_listed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop keys that are not on the list, and say that something was dropped."""
    dropped = [key for key in event if key not in ALLOWED_KEYS]
    for key in dropped:
        del event[key]
    if dropped:
        event["count_dropped_keys"] = len(dropped)
    return event


def configure_logging(level: str = "info", style: str = "auto") -> None:
    """Set up structlog, and quiet the libraries that would log identifiers.

    Parameters
    ----------
    level
        `debug`, `info`, `warning` or `error`.
    style
        `json`, `console`, or `auto`: console on a terminal.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _allow_listed,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # These log data set contents, identifiers or URLs with query values at their usual levels.
    for name in (
        "pynetdicom",
        "pydicom",
        "highdicom",
        "dicomweb_client",
        "httpx",
        "httpcore",
        "uvicorn.access",
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # pydicom's warnings quote the values that they are about. Last of all filters: tests set their own.
    warnings.simplefilter("ignore", append=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("dbos").setLevel(logging.ERROR)
