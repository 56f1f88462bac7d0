"""How far a job is, how fast, and how long it will take, from its first second on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from spectraq.workers.errors import ReadError
from spectraq.workers.jobs.journal import Counts

WINDOW_S = 30.0
"""Rates are means over this: long enough to be read, short enough to show a change."""


class Progress:
    """Counts of a job, and what follows from them.

    Parameters
    ----------
    files
        Of the job; their sizes say how many spectra there will be before all are open.

    Attributes
    ----------
    sent, ended
        Spectra that are in Kafka; answered or dead-lettered.
    waiting, workers
        Spectra that wait for a worker, whoever sent them; workers that read.
    resting
        Whether sending rests since too many wait.
    all_sent
        Whether only answers are missing.
    """

    def __init__(self, files: Iterable[str | ReadError]) -> None:
        self._bytes = {file: _size(file) for file in files if not isinstance(file, ReadError)}
        self._all_bytes = sum(self._bytes.values())
        self._open_bytes = self._open_rows = 0
        self._seen: deque[tuple[float, int, int]] = deque()
        self.sent = self.ended = self.waiting = self.workers = 0
        self.resting = self.all_sent = False

    def begin(self, before: Counts) -> None:
        """Begin with what earlier runs did, which is no part of this one's rates."""
        self.sent, self.ended = before.sent, before.answered + before.dead_lettered
        self._seen.append((time.monotonic(), self.sent, self.ended))

    def opened(self, file: str, rows: int) -> None:
        """Note that a file holds so many spectra."""
        self._open_bytes += self._bytes.pop(file, 0)
        self._open_rows += rows

    @property
    def expected(self) -> int:
        """Spectra of the job: counted where all files are open, else by their bytes."""
        if not self._open_bytes or self.all_sent:
            return self.sent
        return max(self.sent, round(self._open_rows * self._all_bytes / self._open_bytes))

    def rates(self) -> tuple[float, float]:
        """Return how many a second are sent and come to an end."""
        now = time.monotonic()
        self._seen.append((now, self.sent, self.ended))
        while len(self._seen) > 2 and self._seen[1][0] < now - WINDOW_S:
            self._seen.popleft()
        begun, sent, ended = self._seen[0]
        elapsed = max(now - begun, 1e-3)
        return (self.sent - sent) / elapsed, (self.ended - ended) / elapsed

    def seconds_left(self, rates: tuple[float, float], wait: bool) -> float | None:
        """Return how long it will take until all are sent, and have come to an end where that is waited for.

        None where the rate is zero.
        """
        done, rate = (self.ended, rates[1]) if wait else (self.sent, rates[0])
        return (self.expected - done) / rate if rate > 0 else None


def _size(file: str) -> int:
    try:
        return max(Path(file).stat().st_size, 1)
    except OSError:
        return 1
