"""What the stream view counts: rates by second, latencies, classes, redshifts, dead letters."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from typing import Any

from spectraq.models.constants import LIGHT_KM_S
from spectraq.workers.web.night.entry import Row

SERIES_S = 300
"""Seconds of the curve of rates."""
RATE_S = 10
"""A rate is the mean over this many seconds."""
LATENCIES = 4000
BINS = 40
RANGES = {"GALAXY": (0.0, 1.6), "QSO": (0.0, 5.0), "STAR": (-600.0, 600.0)}
"""Of the histograms: redshift, and for stars the velocity in km/s."""


class Histogram:
    """Counts of one class by redshift, or of stars by velocity; what lies beyond is in the end bins."""

    def __init__(self, spectype: str) -> None:
        self.low, self.high = RANGES[spectype]
        self._scale = LIGHT_KM_S if spectype == "STAR" else 1.0
        self.counts = [0] * BINS

    def add(self, z: float, n: int = 1) -> None:
        """Count a redshift n times; take it back with n = -1."""
        place = (z * self._scale - self.low) / (self.high - self.low) * BINS
        self.counts[min(max(int(place), 0), BINS - 1) if math.isfinite(place) else 0] += n

    def as_json(self) -> dict[str, Any]:
        """Return it for the page."""
        return {"low": self.low, "high": self.high, "counts": self.counts}


class Seconds:
    """Events by the second in which they happened, the last `SERIES_S` of them."""

    def __init__(self) -> None:
        self._counts: OrderedDict[int, int] = OrderedDict()

    def add(self, at: float) -> None:
        """Count an event."""
        second = int(at)
        self._counts[second] = self._counts.get(second, 0) + 1
        while len(self._counts) > 2 * SERIES_S:
            del self._counts[min(self._counts)]

    def series(self, now: float) -> list[int]:
        """Return the counts of the whole seconds before now, oldest first."""
        end = int(now)
        return [self._counts.get(second, 0) for second in range(end - SERIES_S, end)]

    def rate(self, now: float) -> float:
        """Return events a second over the last whole seconds."""
        return sum(self.series(now)[-RATE_S:]) / RATE_S


class Counts:
    """Everything counted, of the results that are kept and of the seconds that passed."""

    def __init__(self) -> None:
        self.answered = 0
        self.flagged = 0
        self.classes: Counter[str] = Counter()
        self.histograms = {spectype: Histogram(spectype) for spectype in RANGES}
        self.letters: Counter[str] = Counter()
        self.shared: Counter[str] = Counter()  # spectra by the faults that they share
        self.results = Seconds()
        self.flags = Seconds()
        self.spectra = Seconds()
        self._latencies: deque[float] = deque(maxlen=LATENCIES)

    def add(self, row: Row, n: int = 1) -> None:
        """Count a row among those kept; take it back with n = -1."""
        self.classes[row.spectype] += n
        if row.spectype in self.histograms:
            self.histograms[row.spectype].add(row.z, n)
        self.flagged += n * row.flagged
        for fault_id in row.shared:
            self.shared[fault_id] += n
            if not self.shared[fault_id]:
                del self.shared[fault_id]

    def settled(self, row: Row) -> None:
        """Count a spectrum whose results are complete now."""
        self.answered += 1
        self.results.add(row.at)
        if row.flagged:
            self.flags.add(row.at)

    def waited(self, latency_s: float) -> None:
        """Count how long a spectrum waited for its results."""
        self._latencies.append(latency_s)

    def latency(self) -> dict[str, Any]:
        """Return percentiles in seconds of the latest latencies."""
        latencies = sorted(self._latencies)
        places = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
        if not latencies:
            return {"n": 0, **dict.fromkeys(places)}
        last = len(latencies) - 1
        return {
            "n": len(latencies),
            **{name: latencies[round(share * last)] for name, share in places.items()},
        }

    def as_json(self, now: float) -> dict[str, Any]:
        """Return it for the page."""
        return {
            "answered": self.answered,
            "flagged": self.flagged,
            "classes": {name: n for name, n in self.classes.items() if n},
            "histograms": {name: h.as_json() for name, h in self.histograms.items()},
            "letters": dict(self.letters.most_common()),
            "rate": self.results.rate(now),
            "rate_in": self.spectra.rate(now),
            "series": {
                "end": int(now),
                "results": self.results.series(now),
                "flagged": self.flags.series(now),
            },
            "latency": self.latency(),
        }
