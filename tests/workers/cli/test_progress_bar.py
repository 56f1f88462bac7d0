"""The bar of what takes long says how fast it goes and how long it will take."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Task

from spectraq.workers.cli.progress_bar import Pace, progress_bar


def task(total: int | None, completed: int, seconds: float) -> Task:
    """A task that has run for a time."""
    bar = progress_bar(Console(file=StringIO(), force_terminal=True))
    bar.get_time = lambda: seconds
    number = bar.add_task("files", total=total, start=False)
    (made,) = (one for one in bar.tasks if one.id == number)
    made.start_time = 0.0
    made.completed = completed
    return made


@pytest.mark.parametrize(
    ("total", "completed", "seconds", "said"),
    [
        (10_000, 0, 0.5, ""),
        (10_000, 16, 0.2, "80/s, 0:02:05 left"),
        (10_000, 3, 1.0, "3.0/s, 0:55:32 left"),
        (10_000, 10_000, 100.0, "100/s, 0:00:00 left"),
        (None, 64, 2.0, "32/s"),
    ],
)
def test_rate_and_time_left_are_known_from_the_first_files_on(
    total: int | None, completed: int, seconds: float, said: str
) -> None:
    assert Pace().render(task(total, completed, seconds)).plain == said
