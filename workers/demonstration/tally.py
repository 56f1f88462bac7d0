"""Counts of a stream, taken from the topics alone: what was answered, how, and what was not."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spectraq.schemas import codec
from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.results import Anomaly, Measurement, Result
from spectraq.workers.contract.gathered_results import RESULT_KINDS, GatheredResults
from spectraq.workers.demonstration import simulated
from spectraq.workers.transport.messages import Record

if TYPE_CHECKING:
    from spectraq.models.simulate import Simulated

LATEST = 10
RATE_WINDOW_S = 5.0


@dataclass
class Tally:
    """What the result topics and the dead letters say of the messages sent.

    Parameters
    ----------
    truth
        What simulated spectra really are, by id; empty for real ones.
    measured
        Whether the worker publishes measurements, too.
    """

    truth: Mapping[str, Simulated] = field(default_factory=dict)
    measured: bool = False
    results: Counter[str] = field(default_factory=Counter)  # by kind, each result_id once
    duplicates: int = 0
    answered: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)  # by reason
    latest: deque[GatheredResults] = field(default_factory=lambda: deque(maxlen=LATEST))
    anomalies: list[Anomaly] = field(default_factory=list)
    right_class: int = 0
    right_z: int = 0
    judged: int = 0

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self._open: dict[str, GatheredResults] = {}
        self._counted: set[str] = set()  # result ids
        self._times: deque[tuple[float, int]] = deque()
        self._first_at = self._last_at = 0.0

    @property
    def settled(self) -> int:
        """Messages whose fate is known."""
        return self.answered + self.letters.total()

    def add(self, record: Record) -> Anomaly | None:
        """Count a message of results or dead letters, and return it where it is a flagged anomaly."""
        message = codec.decode(record.value, record.headers)
        if isinstance(message, DeadLetter):
            self.letters[str(message.reason)] += 1
            return None
        assert isinstance(message, Result)
        if message.result_id in self._counted:
            self.duplicates += 1
            return None
        self._counted.add(message.result_id)
        self.results[message.kind] += 1
        results = self._open.setdefault(message.spectrum_id, GatheredResults())
        results.take(message)
        if results.complete and (results.measurement is not None or not self.measured):
            self._settle(self._open.pop(message.spectrum_id))
        return message if isinstance(message, Anomaly) and message.flagged else None

    def _settle(self, results: GatheredResults) -> None:
        assert results.classification and results.redshift and results.anomaly
        self.answered += 1
        self._last_at = time.monotonic()
        self._first_at = self._first_at or self._last_at
        self.latest.append(results)
        self.classes[results.classification.spectype] += 1
        if results.anomaly.flagged:
            self.anomalies.append(results.anomaly)
        truth = self.truth.get(results.classification.spectrum_id)
        if truth is not None:
            self.judged += 1
            self.right_class += truth.spectype == results.classification.spectype
            self.right_z += simulated.is_right(truth, results.redshift.z)

    def rate(self) -> float:
        """Spectra answered a second, over the last seconds."""
        now = time.monotonic()
        self._times.append((now, self.answered))
        while now - self._times[0][0] > RATE_WINDOW_S:
            self._times.popleft()
        then, answered = self._times[0]
        return (self.answered - answered) / (now - then) if now > then else 0.0

    @property
    def mean_rate(self) -> float:
        """Spectra answered a second, from the first to the last."""
        elapsed = self._last_at - self._first_at
        return (self.answered - 1) / elapsed if elapsed > 0 else 0.0

    def balanced(self, read: int) -> bool:
        """Return whether each of `read` messages has one result of each kind, or is a dead letter."""
        measured: tuple[type[Result], ...] = (Measurement,) if self.measured else ()
        complete = all(self.results[kind.kind] == self.answered for kind in (*RESULT_KINDS, *measured))
        return complete and read == self.answered + self.letters.total()
