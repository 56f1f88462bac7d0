"""Logs: one event a line on stderr, JSON for programs, colours for people; never pixels, never secrets."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import structlog

from workers.settings import LogSettings

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

LIBRARIES = ("kafka", "redis", "urllib3", "asyncio", "torch")
"""While a broker is away clients log several errors a second; what matters of it is an event of our own. And
torch counts at the end what was in its caches."""


def configure(settings: LogSettings, **context: str) -> None:
    """Set up logging for this process.

    Parameters
    ----------
    settings
        The level and the format in force.
    context
        Fields of every event, e.g. the worker's slot.
    """
    people = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    shared = _shared(context)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(people)],
        )
    )
    if settings.level != "debug":
        handler.addFilter(lambda record: record.name.partition(".")[0] not in LIBRARIES)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.getLevelNamesMapping()[settings.level.upper()])


def _shared(context: dict[str, str]) -> list[Processor]:
    def add_context(logger: Any, method: str, event: EventDict) -> EventDict:
        return {**event, **context}  # context variables would not reach the other threads

    return [
        structlog.contextvars.merge_contextvars,
        add_context,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(people: bool) -> list[Processor]:
    if people:
        # a traceback's local variables would show pixels and passwords
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
