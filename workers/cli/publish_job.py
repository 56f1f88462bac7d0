"""`spectraq publish --journal`: a job of many spectra that goes on where it ended, and its ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from spectraq.workers.cli.reading_options import Reader, complain, files_of
from spectraq.workers.cli.terminal import print_error, print_json, print_note, stderr
from spectraq.workers.errors import DeliveryError, UnreachableError

if TYPE_CHECKING:
    from spectraq.workers.jobs.job import Plan
    from spectraq.workers.jobs.journal import Counts, Journal
    from spectraq.workers.jobs.progress import Progress
    from spectraq.workers.settings import Settings

LINE_S = 10.0
"""Between two lines of progress where there is no terminal."""

AGAIN_S = 5.0
NAMED = 10
"""Spectra without an answer that are named."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a job is done: what reads its files, how quickly, and whether answers are waited for."""

    read: Reader
    rate: float | None
    max_lag: int
    wait: bool


def publish_job(
    settings: Settings,
    journal: Path,
    names: list[str],
    topic: str,
    way: Way,
    as_json: bool,
) -> None:
    """Do what is left of a job, and print its ledger.

    Raises
    ------
    typer.Exit
        With 1 where something could not be read or has no answer.
    """
    from spectraq.workers.jobs.job import Plan
    from spectraq.workers.jobs.journal import Journal
    from spectraq.workers.readers.files import STDIN

    files = list(files_of(names))
    if STDIN in files:
        raise typer.BadParameter("what comes through a pipe can't be read again", param_hint="--journal")
    plan = Plan(topic, files, way.read, way.rate, way.max_lag, way.wait)
    with Journal(journal) as kept, _shown(way.wait) as show:
        try:
            counts, missing = _done(settings, plan, kept, show)
        except KeyboardInterrupt:
            print_note(f"interrupted; the same command goes on from {journal}")
            raise
        way.read.sum_up()
        _print_ledger(kept, counts, topic, way.wait, as_json)
    if missing or counts.unreadable or (way.wait and counts.unanswered):
        raise typer.Exit(1)


def _done(
    settings: Settings, plan: Plan, journal: Journal, show: Callable[[Progress], None]
) -> tuple[Counts, int]:
    """Do it; where Kafka goes away after it was there, wait for it."""
    from spectraq.workers.jobs.job import Job

    begun = False

    def shown(progress: Progress) -> None:
        nonlocal begun
        begun = True
        show(progress)

    while True:
        job = Job(settings, plan, journal, complain, shown)
        try:
            counts = job.run()
        except (UnreachableError, DeliveryError) as error:
            if not begun:
                raise
            print_note(f"{error}; trying again in {AGAIN_S:.0f} s")
            time.sleep(AGAIN_S)
            continue
        finally:
            if job.found:
                print_note(f"{job.found} spectra were in Kafka already, and are not sent again")
        return counts, job.missing


@contextmanager
def _shown(wait: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield what shows progress on stderr: in place on a terminal, elsewhere a line now and then."""
    if not stderr.is_terminal:
        yield _lines(wait)
        return
    from rich.live import Live

    with Live(console=stderr, transient=True, refresh_per_second=2) as live:
        yield lambda progress: live.update(Text(line(progress, wait)))


def _lines(wait: bool) -> Callable[[Progress], None]:
    last = -LINE_S

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_S:
            last = time.monotonic()
            stderr.print(Text(f"spectraq: {line(progress, wait)}"))

    return show


def line(progress: Progress, wait: bool) -> str:
    """Return how far a job is, in one line."""
    rates = progress.rates()
    left = progress.seconds_left(rates, wait)
    about = "" if progress.all_sent else "about "
    parts = [
        f"sent {progress.sent} of {about}{progress.expected} ({rates[0]:.0f}/s)",
        f"answered {progress.ended} ({rates[1]:.0f}/s)",
        f"{progress.waiting} waiting",
        "no worker reads" if not progress.workers else f"{progress.workers} workers",
        "time left unknown" if left is None else f"{_duration(left)} left",
    ]
    if progress.resting:
        parts.insert(1, "resting, as more may not wait")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _print_ledger(journal: Journal, counts: Counts, topic: str, wait: bool, as_json: bool) -> None:
    reasons = dict(journal.reasons())
    if as_json:
        said: dict[str, Any] = {"topic": topic, **asdict(counts), "unanswered": counts.unanswered}
        print_json(said | {"reasons": reasons, "balanced": not counts.unanswered})
    else:
        why = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
        typer.echo(
            f"sent {counts.sent} = answered {counts.answered} + dead-lettered {counts.dead_lettered}"
            f"{f' ({why})' if why else ''} + unanswered {counts.unanswered};"
            f" answered twice {counts.doubled}, unreadable {counts.unreadable}"
        )
    if wait and counts.unanswered:
        for file, row in journal.unanswered(NAMED):
            print_error(f"no answer: {file}, row {row}")
