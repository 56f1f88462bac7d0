"""Logs: one event a line on stderr, JSON for programs, colours for people; never pixels, never secrets.

Whatever stands in an event is one line of text without control characters, and its URLs show no secrets.
"""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from spectraq.schemas.text import escaped
from spectraq.workers.operations.masking import masked
from spectraq.workers.settings import LogSettings

if TYPE_CHECKING:
    from structlog.typing import EventDict, ExcInfo, Processor

LIBRARIES = ("kafka", "redis", "urllib3", "asyncio", "torch", "opentelemetry")
"""While a broker is away clients log several errors a second; what matters of it is an event of our own. And
torch counts at the end what was in its caches, and OpenTelemetry repeats what a stranger's headers say."""


def configure(settings: LogSettings, *, remarks: bool = False, **context: str) -> None:
    """Set up logging for this process.

    Parameters
    ----------
    settings
        The level and the format in force.
    remarks
        Of a command that a person runs on files: events are remarks like all others on stderr, unless the
        settings name a format.
    context
        Fields of every event, e.g. the worker's slot.
    """
    people = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    as_remarks = remarks and settings.format == "auto"
    renderers = [_safe, _remark] if as_remarks else _renderers(people)
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
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
        return [_safe, structlog.dev.ConsoleRenderer(exception_formatter=_plain_traceback)]
    return [structlog.processors.format_exc_info, _safe, structlog.processors.JSONRenderer()]


def _remark(logger: Any, method: str, event: EventDict) -> str:
    """Write an event as the command line writes its own remarks."""
    aside = ("event", "level", "timestamp", "exc_info", "stack_info")
    more = ", ".join(f"{name} {value}" for name, value in event.items() if name not in aside)
    kind = "error" if event.get("level") in ("error", "critical") else "note"
    return f"spectraq: {kind}: {str(event.get('event', '')).replace('_', ' ')}{f' ({more})' if more else ''}"


def _safe(logger: Any, method: str, event: EventDict) -> EventDict:
    lines = ("exception", "stack")
    return {
        name: value if name == "exc_info" else _lines(value) if name in lines else _shown(value)
        for name, value in event.items()
    }


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict):
        return {_shown(name): _shown(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_shown(inner) for inner in value]
    return escaped(masked(str(value)))


def _lines(text: str) -> str:
    return "\n".join(map(_shown, text.split("\n")))


def _plain_traceback(out: TextIO, exc_info: ExcInfo) -> None:
    """Write a traceback without local variables, which would show pixels and passwords."""
    traceback = io.StringIO()
    structlog.dev.plain_traceback(traceback, exc_info)
    out.write(_lines(traceback.getvalue()))
