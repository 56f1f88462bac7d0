"""From a reference's false-positive rate to a stream's own: how strange are the spectra that it mostly has?

If normal spectra of a stream were distributed like the reference's, their rates r would be uniform. Elsewhere
noise is estimated otherwise, and they are not: P(rate < r) = r^k is fitted to the bulk, r above BULK_RATE,
where true anomalies hardly count; r^k is then how often this stream's normal spectra are as strange.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BULK_RATE = 0.02
"""Spectra stranger than this teach nothing: one in twenty may be an anomaly without doing harm."""
LEAST_SPECTRA = 300
"""Before a cell has seen so many, the reference alone judges."""
PRIOR_SPECTRA = 100.0
"""Spectra of the reference that a cell begins with: k moves from one by evidence only."""
LIMITS = (0.5, 1.5)
"""k never leaves these, whatever the stream or whoever else writes to the store says: a rate of 1e-4 stays an
anomaly. Above, real streams do not follow the law into their tails: with 2, streams of LAMOST were flagged at
2.2 % in the mean and 5 % at worst, with 1.5 at 1.0 and 2.0 %."""
ROUNDS = 60
SNR_EDGES = (3.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a stream has shown of one survey, class and range of S/N.

    Attributes
    ----------
    n
        Spectra with a rate above BULK_RATE.
    depth
        Sum of their -ln(rate).
    """

    n: int = 0
    depth: float = 0.0

    @property
    def valid(self) -> bool:
        """Return whether the numbers can be true: each -ln(rate) lies between 0 and -ln(BULK_RATE)."""
        return self.n >= 0 and 0 <= self.depth <= self.n * -math.log(BULK_RATE) + 1e-6

    @property
    def exponent(self) -> float:
        """Return k of P(rate < r) = r^k; one where too little was seen."""
        if self.n < LEAST_SPECTRA or not self.valid:
            return 1.0
        mean = (self.depth + PRIOR_SPECTRA * expected_depth(1.0)) / (self.n + PRIOR_SPECTRA)
        low, high = LIMITS
        for _ in range(ROUNDS):
            middle = 0.5 * (low + high)
            # The steeper the law, the nearer to one the rates and the smaller the depth.
            low, high = (middle, high) if expected_depth(middle) > mean else (low, middle)
        return 0.5 * (low + high)

    def rate(self, of_reference: float) -> float:
        """Return how often this cell's normal spectra are as strange as this rate of the reference says."""
        return float(of_reference**self.exponent)


def expected_depth(k: float) -> float:
    """Return the mean of -ln(rate), a truncated exponential up to -ln(BULK_RATE), where P(rate < r) = r^k."""
    reach = -math.log(BULK_RATE)
    left = math.exp(-k * reach)
    return 1 / k - reach * left / (1 - left)


def cell_names(survey: str | None, spectype: str, snr: float) -> tuple[str, str, str]:
    """Name the cells of a spectrum, the narrowest first: survey, class and S/N; survey and class; survey.

    The narrowest that has seen enough judges: a survey is adapted to before each class and S/N of it can be.
    """
    edges = ("0", *(f"{edge:g}" for edge in SNR_EDGES), "")
    index = sum(snr >= edge for edge in SNR_EDGES)
    name = (survey or "unknown").lower()
    return f"{name} {spectype} S/N {edges[index]}-{edges[index + 1]}", f"{name} {spectype}", name
