"""What spectra of one exposure, plate or fibre leave on average, beyond what their survey's others leave.

Objects differ in redshift, so that what is their own averages out; stars do not, and what templates leave of
them is the same in every plate. So stars are summed apart from all others, the survey's own mean is taken off
each, and what is known of it badly counts as an error. Sums are all that is kept of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.anomaly.coarse_residual import LEVELS_A_SIGMA, MOST_SIGMA, N_STRETCHES, NOTHING

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

SORTS = 2
"""Stars and all others, in this order."""
STAR = "STAR"
OF_SURVEYS = np.array([0.45, 0.13])
"""How far the mean of a survey lies from the fit, in sigma of a spectrum's stretch, root mean square: what
nothing is known of is at most so large. Measured on the shipped reference's spectra."""
OF_GROUPS = np.array([0.15, 0.04])
"""The same of a group from its survey: no two plates have the same objects."""


OF_A_GROUP = 20
"""Spectra of one group that count for their survey, on average."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Sums over spectra, exact: the order in which they came is not in it.

    Attributes
    ----------
    total
        Of residuals in levels, none beyond MOST_SIGMA, shape (SORTS, N_STRETCHES).
    count
        Spectra that say something there, same shape.
    """

    total: Integers
    count: Integers

    @classmethod
    def empty(cls) -> Stack:
        """Return the sums of no spectra."""
        return cls(*(np.zeros((SORTS, N_STRETCHES), np.int32) for _ in range(2)))

    @classmethod
    def of(cls, levels: NDArray[np.int8], spectypes: Sequence[str]) -> Stack:
        """Sum spectra as of `coarse_residual.read_stretches`, (B, N_STRETCHES)."""
        most = int(MOST_SIGMA * LEVELS_A_SIGMA)
        used = levels != NOTHING
        clipped = np.where(used, np.clip(levels, -most, most), 0).astype(np.int32)
        star = np.array([spectype == STAR for spectype in spectypes], bool)
        return cls(
            np.stack([clipped[rows].sum(0, dtype=np.int32) for rows in (star, ~star)]),
            np.stack([used[rows].sum(0, dtype=np.int32) for rows in (star, ~star)]),
        )

    def __add__(self, other: Stack) -> Stack:
        """Return the spectra of both."""
        return Stack(self.total + other.total, self.count + other.count)

    def __sub__(self, other: Stack) -> Stack:
        """Return the spectra without those of the other; none are left where it had more."""
        left = self.count - other.count
        return Stack(np.where(left > 0, self.total - other.total, 0), np.maximum(left, 0))

    @property
    def n(self) -> int:
        """Return how many spectra there are where there are most."""
        return int(self.count.sum(0).max())


@dataclass(frozen=True, slots=True)
class Excess:
    """What a group leaves beyond its survey."""

    mean: Floats  # (N_STRETCHES,) in sigma of one spectrum
    significance: Floats  # (N_STRETCHES,) in sigma of the mean; zero where there is no spectrum


def excess(group: Stack, others: Stack, other_groups: int) -> Excess:
    """Return what a group leaves beyond the others of its survey.

    Parameters
    ----------
    others
        Of the same survey, without the group; where there are few, its mean is taken to be nearer to zero.
    other_groups
        How many groups of the same sort the others are: two halves of one plate may share its fault.
    """
    share = min(1.0, OF_A_GROUP * other_groups / max(others.n, 1))
    weighted, weight = np.zeros(N_STRETCHES), np.zeros(N_STRETCHES)
    for sort in range(SORTS):
        known = share * others.count[sort] + OF_SURVEYS[sort] ** -2
        usual = share * others.total[sort] / LEVELS_A_SIGMA / known
        count = group.count[sort]
        mean = group.total[sort] / LEVELS_A_SIGMA / np.maximum(count, 1)
        precision = (count > 0) / (1 / np.maximum(count, 1) + 1 / known + OF_GROUPS[sort] ** 2)
        weighted += precision * (mean - usual)
        weight += precision
    seen = np.maximum(weight, 1e-12)
    return Excess(weighted / seen, weighted / np.sqrt(seen))
