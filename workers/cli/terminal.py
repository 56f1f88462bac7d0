"""What people and programs are shown: tables or JSON on stdout, progress and remarks on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from spectraq.schemas.text import escaped
from spectraq.workers.operations.masking import masked

if TYPE_CHECKING:
    from rich.progress import Progress

PIPE_WIDTH = 240
"""Columns of a table that goes to a file or a program, which have no edge to keep to."""

stdout = Console(soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
stderr = Console(stderr=True, soft_wrap=True)


def print_line(text: str) -> None:
    """Print one line of stdout that may hold text of strangers."""
    stdout.print(Text(escaped(text)))


def print_error(text: str) -> None:
    """Print what went wrong, as one line of stderr, without the secrets of an address in it."""
    stderr.print(Text(f"spectraq: error: {escaped(masked(text))}"))


def print_note(text: str) -> None:
    """Print what was assumed, as one line of stderr."""
    stderr.print(Text(f"spectraq: note: {escaped(text)}"))


def print_lines(text: str) -> None:
    """Print lines of stdout that may hold text of strangers."""
    for line in text.split("\n"):
        print_line(line)


def json_line(value: Any) -> str:
    """Return one JSON value in ASCII alone: its strings are whole, and no terminal obeys them."""
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout."""
    stdout.print(json_line(value), markup=False, highlight=False, emoji=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print a table; columns whose name ends in "#" are numbers, aligned to the right."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numbers = column.endswith("#")
        table.add_column(
            column.rstrip("#"), justify="right" if numbers else "left", no_wrap=numbers, overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(escaped(str(cell))) for cell in row))
    stdout.print(table)


def progress() -> Progress:
    """Return a progress bar on stderr, shown on terminals only."""
    from spectraq.workers.cli.progress_bar import progress_bar

    return progress_bar(stderr)
