"""The bar of what takes long: how much is done, how fast it goes, and how long it will take."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
)
from rich.text import Text


def progress_bar(console: Console) -> Progress:
    """Return a bar that goes away when it is done, shown on terminals only."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Pace(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class Pace(ProgressColumn):
    """The rate since the beginning, and the time that is left at that rate."""

    def render(self, task: Task) -> Text:
        """Return both, as far as they are known."""
        if not task.completed or not task.elapsed:
            return Text("")
        rate = task.completed / task.elapsed
        written = f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
        if task.total is None:
            return Text(written)
        left = timedelta(seconds=round((task.total - task.completed) / rate))
        return Text(f"{written}, {left} left")
