"""How often two spectra of an unchanged object look as changed: learned from real repeats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

CLASSES_OF_TESTS = {
    "STAR": ("narrow_line", "velocity", "continuum", "likeness"),
    "GALAXY": ("narrow_line", "broad_line", "velocity", "supernova", "continuum", "likeness"),
    "QSO": ("narrow_line", "broad_line", "velocity", "continuum", "absorption", "likeness"),
}
"""The tests that are made of each class."""
NARROW_SHARE = 0.4
"""Of the false positives, what narrow lines have, which are sought in thousands of places; the
others share the rest alike."""
BULK = 0.85
"""Beyond this part of unchanged pairs the tail is an exponential."""
CENSORED = 0.03
"""Part of the pairs whose size is not believed: in a few of those that teach something did change."""
LEAST_SPREAD = 0.3
"""Of a statistic, which is in sigma: its bulk ends at least so far beyond its median."""
LEAST_TAIL, MOST_TAIL = 0.3, 3.0
"""Scale of the tail, in units of that distance."""


@dataclass(frozen=True, slots=True)
class Tail:
    """How a statistic's size is distributed over unchanged pairs."""

    median: float
    bulk: float  # exceeded by 1 - BULK
    scale: float  # of the exponential beyond, in units of bulk less median

    @classmethod
    def of(cls, sizes: Sequence[float]) -> Tail:
        """Return what is learned from the sizes of unchanged pairs."""
        ordered = np.sort(np.abs(np.asarray(sizes, np.float64)))
        median, bulk = (float(np.quantile(ordered, q)) for q in (0.5, BULK))
        spread = max(bulk - median, LEAST_SPREAD)
        beyond = (ordered[ordered > bulk] - bulk) / spread
        # A censored mean of an exponential: the largest count as if they were the largest that is believed.
        believed = len(beyond) - math.ceil(CENSORED * len(ordered))
        scale = 1.0
        if believed > 0:
            largest = beyond[believed - 1]
            scale = float((beyond[:believed].sum() + largest * (len(beyond) - believed)) / believed)
        return cls(median, median + spread, float(np.clip(scale, LEAST_TAIL, MOST_TAIL)))

    def rate(self, size: float) -> float:
        """Return how many unchanged pairs exceed a size."""
        spread = self.bulk - self.median
        place = (abs(size) - self.median) / spread
        if place >= 1:
            return (1 - BULK) * math.exp(-(place - 1) / self.scale)
        if place >= 0:
            return 0.5 - place * (BULK - 0.5)
        return 1.0 if self.median <= 0 else 1.0 - 0.5 * abs(size) / self.median


@dataclass(frozen=True, slots=True)
class Null:
    """Tails by class and test."""

    tails: Mapping[str, Mapping[str, Tail]]

    @classmethod
    def learn(cls, spectypes: Sequence[str], strengths: Sequence[Mapping[str, float]]) -> Null:
        """Learn from unchanged pairs.

        Parameters
        ----------
        spectypes, strengths
            Class and statistics of each pair, as of `PairEvidence.strengths`.
        """
        tails: dict[str, dict[str, Tail]] = {}
        for name, tests in CLASSES_OF_TESTS.items():
            rows = [row for spectype, row in zip(spectypes, strengths, strict=True) if spectype == name]
            if rows:
                tails[name] = {test: Tail.of([row[test] for row in rows]) for test in tests}
        return cls(tails)

    def rates(self, spectype: str, strengths: Mapping[str, float]) -> dict[str, float]:
        """Return for each test how often an unchanged pair is flagged by so much of it, over its share.

        A number below a rate is what flags at that rate, whatever the number of tests.
        """
        tests = CLASSES_OF_TESTS[spectype]
        of_class = self.tails[spectype]
        return {
            test: min(of_class[test].rate(strengths[test]) / share(spectype, test), 1.0)
            if strengths[test]
            else 1.0
            for test in tests
        }


def share(spectype: str, test: str) -> float:
    """Return the part of the false positives that a test of a class has."""
    if test == "narrow_line":
        return NARROW_SHARE
    return (1 - NARROW_SHARE) / (len(CLASSES_OF_TESTS[spectype]) - 1)
