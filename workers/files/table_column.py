"""A column of the table of results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spectraq.workers.files.analyze_files import Answered

Value = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    kind: type
    value: Callable[[Answered], Value]
    description: str
    unit: str | None = None
